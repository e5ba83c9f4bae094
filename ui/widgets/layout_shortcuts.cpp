#include "ui/widgets/layout_shortcuts.h"

#include <QAction>
#include <QApplication>
#include <QKeyEvent>
#include <QWidget>
#include <string_view>

namespace moe::ui {

namespace {

/// Rows of keys by the code of their first, as X11 and Wayland give them on every Linux.
struct KeyRow {
  quint32 first;
  std::string_view keys;
};
constexpr KeyRow kRows[] = {{10, "1234567890"}, {24, "QWERTYUIOP"}, {38, "ASDFGHJKL"}, {52, "ZXCVBNM"}};

bool isDigit(int key) { return key >= Qt::Key_0 && key <= Qt::Key_9; }
bool isLatin(int key) { return key >= Qt::Key_A && key <= Qt::Key_Z; }

}  // namespace

std::optional<int> keyAtItsPlace(const QKeyEvent& press) {
  // A Latin layout's letters are where it says; other keys of the keyboard are above all letters.
  if (isDigit(press.key()) || isLatin(press.key()) || press.key() >= Qt::Key_Escape) return std::nullopt;
  for (const KeyRow& row : kRows) {
    const quint32 code = press.nativeScanCode();
    if (code < row.first || code >= row.first + row.keys.size()) continue;
    const int key = row.keys[code - row.first];
    if (!isDigit(key) && press.key() < 0x80) return std::nullopt;  // a Latin layout's own sign
    return key;
  }
  return std::nullopt;
}

LayoutShortcuts::LayoutShortcuts(QWidget& window) : QObject(&window), window_(window) {
  qApp->installEventFilter(this);
}

bool LayoutShortcuts::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() != QEvent::KeyPress || !watched->isWidgetType()) return false;
  auto* widget = static_cast<QWidget*>(watched);
  const auto& press = *static_cast<QKeyEvent*>(event);
  if (!(press.modifiers() & Qt::ControlModifier) || (widget != &window_ && !window_.isAncestorOf(widget))) return false;
  const std::optional<int> key = keyAtItsPlace(press);
  if (!key) return false;
  const QKeySequence wanted(static_cast<int>(press.modifiers() & ~Qt::KeypadModifier) | *key);
  for (QAction* action : window_.findChildren<QAction*>()) {
    if (!action->shortcuts().contains(wanted) || !action->isEnabled()) continue;
    if (!press.isAutoRepeat() || action->autoRepeat()) action->trigger();
    return true;
  }
  QKeyEvent meant(QEvent::KeyPress, *key, press.modifiers(), press.nativeScanCode(), press.nativeVirtualKey(),
                  press.nativeModifiers(), {}, press.isAutoRepeat());
  return QCoreApplication::sendEvent(widget, &meant);
}

}  // namespace moe::ui
