#include "ui/widgets/probe_text.h"

#include <QMimeData>
#include <algorithm>

namespace moe::ui {

namespace {

/// The end of a text, at most so long and no half of a pair of surrogates at its beginning.
QString endOf(const QString& text, qsizetype most) {
  QString end = text.right(most);
  if (!end.isEmpty() && end.front().isLowSurrogate()) end.remove(0, 1);
  return end;
}

}  // namespace

ProbeText::ProbeText(QWidget* parent) : QPlainTextEdit(parent) {}

void ProbeText::setText(const QString& text) {
  const QString end = endOf(text, kMostCharacters);
  setPlainText(end);
  setLeftOut(text.size() - end.size());
}

/// Files are the window's to take.
bool ProbeText::canInsertFromMimeData(const QMimeData* source) const {
  return !source->hasUrls() && QPlainTextEdit::canInsertFromMimeData(source);
}

void ProbeText::insertFromMimeData(const QMimeData* source) {
  const QString text = source->text(), end = endOf(text, kMostCharacters);
  QTextCursor cursor = textCursor();
  cursor.beginEditBlock();
  cursor.insertText(end);
  const int over = std::max(0, document()->characterCount() - 1 - kMostCharacters);
  if (over > 0) {
    cursor.setPosition(0);
    cursor.setPosition(over, QTextCursor::KeepAnchor);
    cursor.removeSelectedText();
  }
  cursor.endEditBlock();
  setLeftOut(text.size() - end.size() + over);
  ensureCursorVisible();
}

void ProbeText::setLeftOut(qsizetype characters) {
  if (std::exchange(leftOut_, characters) != characters) Q_EMIT leftOutChanged();
}

}  // namespace moe::ui
