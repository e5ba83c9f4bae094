#include "ui/widgets/wrapped_text.h"

#include <QEvent>
#include <QTextLayout>
#include <algorithm>

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
  fit();
  QTextEdit::resizeEvent(event);
}

void WrappedText::changeEvent(QEvent* event) {
  QTextEdit::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) fit();
}

int WrappedText::linesIn(int width) const {
  QTextLayout layout(toPlainText(), font());
  layout.setTextOption(document()->defaultTextOption());
  layout.beginLayout();
  int lines = 0;
  for (QTextLine line = layout.createLine(); line.isValid() && lines <= kMostLines; line = layout.createLine()) {
    line.setLineWidth(width);
    ++lines;
  }
  layout.endLayout();
  return lines;
}

void WrappedText::fit() {
  const int lines = linesIn(width());
  // Always or never: one that comes by itself would take its width from lines that were counted without it.
  setVerticalScrollBarPolicy(lines > kMostLines ? Qt::ScrollBarAlwaysOn : Qt::ScrollBarAlwaysOff);
  setFixedHeight(std::clamp(lines, 1, kMostLines) * fontMetrics().lineSpacing() + 2);
}

}  // namespace moe::ui
