#pragma once
#include <QTextEdit>

namespace moe::ui {

/// A sentence that may be selected and copied. It breaks between words, and within one that is longer than its line, so
/// that no word makes a window wider; what needs more than four lines scrolls.
class WrappedText : public QTextEdit {
  Q_OBJECT

 public:
  explicit WrappedText(const QString& sentence, QWidget* parent = nullptr);

  QSize minimumSizeHint() const override;
  QSize sizeHint() const override;

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void fit();
  /// Of the sentence, one more than are shown at most.
  int linesIn(int width) const;
};

}  // namespace moe::ui
