#pragma once
#include <QObject>
#include <optional>

class QKeyEvent;
class QWidget;

namespace moe::ui {

/// What a key press means on a keyboard whose layout has no Latin letters, or its digits behind Shift: the key that stands at
/// the same place of the usual one. Nothing where the press is one of the usual keys already, or its place is not known.
std::optional<int> keyAtItsPlace(const QKeyEvent& press);

/// Lets the shortcuts of a window's actions, and of the fields in it, work on every layout: Ctrl and the key at the place where
/// the letter stands on the usual one.
class LayoutShortcuts : public QObject {
  Q_OBJECT

 public:
  explicit LayoutShortcuts(QWidget& window);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  QWidget& window_;
};

}  // namespace moe::ui
