#pragma once
#include <QWidget>
#include <vector>

#include "ui/models/recipe_draft.h"
#include "ui/views/page_context.h"

class QBoxLayout;
class QComboBox;
class QLabel;
class QPushButton;
class QScrollArea;
class QToolButton;

namespace moe {
struct SessionStatus;
}

namespace moe::ui {

class RecipeFooter;
class RecipeSection;
class SettingField;
class StageTrack;

/// The routing pipeline as the stations a token passes, then the model, data and training around it. Live settings act
/// at the next step; the others wait for a new model.
class RecipePanel : public QWidget {
  Q_OBJECT

 public:
  explicit RecipePanel(const PageContext& context, QWidget* parent = nullptr);
  ~RecipePanel() override;

  RecipeDraft& draft() { return draft_; }
  QComboBox* presetBox() const { return preset_; }
  QPushButton* undoButton() const { return undo_; }
  QPushButton* twinButton() const { return twin_; }
  RecipeFooter* footer() const { return footer_; }
  RecipeSection* section(const QString& id) const;
  /// The field of a dotted path; null where there is none.
  SettingField* field(const QString& path) const;

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 private:
  void buildHead(QWidget* inside);
  void follow(const SessionStatus& status);
  void refresh();
  void showLive();
  void dress();

  PageContext context_;
  RecipeDraft draft_;
  QComboBox* preset_;
  QLabel *about_, *source_, *legend_;
  QToolButton* more_;  // opens what is said about the preset
  QPushButton *undo_, *twin_;
  QBoxLayout* actions_;
  QScrollArea* scroll_;
  std::vector<RecipeSection*> sections_;
  QPushButton* text_;  // opens the recipe as JSON
  RecipeFooter* footer_;
};

QWidget* makeRecipePanel(const PageContext& context, QWidget* parent);

}  // namespace moe::ui
