#include "ui/widgets/wrapped_text.h"

#include <QEvent>
#include <algorithm>
#include <cmath>

namespace moe::ui {

namespace {
constexpr int kMostLines = 4;
constexpr int kNarrowest = 12;  // characters
}  // namespace

WrappedText::WrappedText(const QString& sentence, QWidget* parent) : QTextEdit(parent) {
  setReadOnly(true);
  setFrameShape(QFrame::NoFrame);
  setStyleSheet("QTextEdit { background: transparent; border: 0; padding: 0; }");
  setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setTabChangesFocus(true);
  setFocusPolicy(Qt::ClickFocus);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setAcceptDrops(false);  // the window takes them
  document()->setDocumentMargin(0);
  setPlainText(sentence);
  setAccessibleName(sentence);
  fit();
}

QSize WrappedText::minimumSizeHint() const {
  return QSize(kNarrowest * fontMetrics().averageCharWidth(), fontMetrics().lineSpacing());
}

QSize WrappedText::sizeHint() const { return QSize(60 * fontMetrics().averageCharWidth(), maximumHeight()); }

void WrappedText::resizeEvent(QResizeEvent* event) {
  QTextEdit::resizeEvent(event);
  fit();
}

void WrappedText::changeEvent(QEvent* event) {
  QTextEdit::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit();
}

void WrappedText::fit() {
  const int line = fontMetrics().lineSpacing();
  const int needed = static_cast<int>(std::ceil(document()->size().height()));
  setFixedHeight(std::clamp(needed, line, kMostLines * line) + 2);
}

}  // namespace moe::ui
