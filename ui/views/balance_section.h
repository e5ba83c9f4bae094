#pragma once
#include "core/explain/explanation.h"
#include "ui/views/recipe_section.h"

class QPushButton;

namespace moe::ui {

class ExplainedLabel;

/// The balance terms: any number, each with its kind, coefficient and scope.
class BalanceSection : public RecipeSection {
  Q_OBJECT

 public:
  BalanceSection(Theme& theme, RecipeDraft& draft, QWidget* parent = nullptr);
  void refresh() override;
  /// What the terms are at the run's newest point; null where no run is trained by these terms.
  void showLive(const StepPoint* point, const RunFacts* facts);
  /// The line below a term that says its present value.
  QString live(int index) const;
  /// Sentences about terms that are switched on and change nothing.
  const QStringList& warnings() const { return warnings_; }
  QPushButton* addButton() const { return add_; }
  /// Takes away term `index`.
  QPushButton* removeButton(int index) const;

 protected:
  void summarise() override;

 private:
  void build(int terms);

  QPushButton* add_;
  QVBoxLayout* list_;
  std::vector<QPushButton*> removes_;
  std::vector<ExplainedLabel*> live_;  // one a term
  QStringList warnings_;
  StepPoint point_;
  RunFacts facts_;
};

}  // namespace moe::ui
