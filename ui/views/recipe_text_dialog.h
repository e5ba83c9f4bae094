#pragma once
#include <QDialog>

class QLabel;
class QPlainTextEdit;
class QPushButton;

namespace moe::ui {

class RecipeDraft;
class Theme;

/// The recipe as JSON, for what has no field. The text is read as it is typed; what cannot be read is said in a sentence,
/// and only what can is taken over into the draft.
class RecipeTextDialog : public QDialog {
  Q_OBJECT

 public:
  RecipeTextDialog(Theme& theme, RecipeDraft& draft, QWidget* parent = nullptr);

  QPlainTextEdit& text() const { return *text_; }
  QPushButton& takeButton() const { return *take_; }
  QString sentence() const;

 private:
  void check();
  void take();

  Theme& theme_;
  RecipeDraft& draft_;
  QPlainTextEdit* text_;
  QLabel* words_;
  QPushButton* take_;
};

}  // namespace moe::ui
