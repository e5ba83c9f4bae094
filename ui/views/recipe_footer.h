#pragma once
#include <QFrame>

class QBoxLayout;
class QLabel;
class QPushButton;

namespace moe::ui {

class ExplainedLabel;
class RecipeDraft;
class Theme;

/// What stands below the recipe whatever is scrolled: the sizes of the model in the draft, and what to do with changes
/// that need a new one.
class RecipeFooter : public QFrame {
  Q_OBJECT

 public:
  RecipeFooter(Theme& theme, RecipeDraft& draft, QWidget* parent = nullptr);
  /// A sentence of the run, such as a model that does not fit; until the next change.
  void showRefusal(const QString& sentence);
  QPushButton* restartButton() const { return restart_; }
  QPushButton* discardButton() const { return discard_; }
  QString sizes() const;
  ExplainedLabel& sizesLabel() const { return *sizes_; }
  /// What waits, and why it cannot start if it cannot.
  QString words() const;

 Q_SIGNALS:
  void restartWanted();

 private:
  void refresh();
  void dress();
  QString waiting() const;

  Theme& theme_;
  RecipeDraft& draft_;
  ExplainedLabel* sizes_;
  QLabel *waiting_, *problem_;
  QPushButton *restart_, *discard_;
  QBoxLayout* buttons_;
};

}  // namespace moe::ui
