#pragma once
#include "ui/views/recipe_section.h"

class QPushButton;

namespace moe::ui {

/// The balance terms: any number, each with its kind, coefficient and scope.
class BalanceSection : public RecipeSection {
  Q_OBJECT

 public:
  BalanceSection(Theme& theme, RecipeDraft& draft, QWidget* parent = nullptr);
  void refresh() override;
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
};

}  // namespace moe::ui
