#include "ui/theme/theme.h"

#include <QApplication>
#include <QStyleFactory>
#include <array>

#include "ui/theme/palettes.h"

namespace moe::ui {

namespace {

const Colours kLight{.window = 0xf1f3f5,
                     .base = 0xffffff,
                     .raised = 0xe4e8ec,
                     .border = 0xc3c9d0,
                     .text = 0x1a1e23,
                     .muted = 0x525b65,
                     .accent = 0x0b5cad,
                     .onAccent = 0xffffff,
                     .good = 0x1a6e37,
                     .warning = 0x7d5200,
                     .danger = 0xb3261e,
                     .grid = 0xe3e7eb};
const Colours kDark{.window = 0x15181c,
                    .base = 0x1d2126,
                    .raised = 0x2a3037,
                    .border = 0x414a54,
                    .text = 0xe9ecef,
                    .muted = 0xa6afb9,
                    .accent = 0x6db3f2,
                    .onAccent = 0x0b1117,
                    .good = 0x7ccf8a,
                    .warning = 0xf2c14e,
                    .danger = 0xff8a80,
                    .grid = 0x2c3239};

constexpr std::array<QRgb, 6> kCurvesLight{0x0b5cad, 0xc04a00, 0x5c6670, 0x8d97a1, 0x6a3fa0, 0x1a6e5a};
constexpr std::array<QRgb, 6> kCurvesDark{0x6db3f2, 0xf5a05a, 0xb4bcc6, 0x868f9a, 0xc3a3f0, 0x6fd0b5};
constexpr std::array<QRgb, 6> kOverlaysLight{0x9b2c6d, 0x35701f, 0x7a5b00, 0x3b4fb8, 0x0d6e78, 0x8c3b2a};
constexpr std::array<QRgb, 6> kOverlaysDark{0xf08cc4, 0x9ed37e, 0xe3c562, 0x9aaaf8, 0x6fd3de, 0xf0a08e};

QString hex(const QColor& colour) { return colour.name(); }

}  // namespace

Theme::Theme(QObject* parent) : QObject(parent) {
  // Qt 6.4 does not say whether the desktop is dark; the platform's own palette does.
  const QPalette palette = QApplication::palette();
  systemDark_ = palette.color(QPalette::Window).lightness() < palette.color(QPalette::WindowText).lightness();
  platformFont_ = QApplication::font();
  choose();
}

void Theme::choose() {
  dark_ = mode_ == Mode::dark || (mode_ == Mode::system && systemDark_);
  colours_ = dark_ ? kDark : kLight;
}

void Theme::setMode(Mode mode) {
  mode_ = mode;
  choose();
  apply();
}

void Theme::setPresenter(bool presenter) {
  presenter_ = presenter;
  apply();
}

QFont Theme::font(Size size) const {
  QFont font = platformFont_;
  constexpr double kUsual[] = {9, 10, 13}, kPresenter[] = {20, 20, 24};
  font.setPointSizeF((presenter_ ? kPresenter : kUsual)[static_cast<int>(size)]);
  if (size == Size::large) font.setWeight(QFont::DemiBold);
#if QT_VERSION >= QT_VERSION_CHECK(6, 7, 0)
  font.setFeature("tnum", 1);  // figures of one width, so that running numbers stand still
#endif
  return font;
}

QFont Theme::axisFont() const {
  QFont font = this->font(Size::small);
  font.setPointSizeF(presenter_ ? 18 : 8);
  return font;
}

QColor Theme::curve(Curve curve) const {
  return QColor((dark_ ? kCurvesDark : kCurvesLight)[static_cast<std::size_t>(curve)]);
}

QColor Theme::overlay(int index) const {
  return QColor((dark_ ? kOverlaysDark : kOverlaysLight)[static_cast<std::size_t>(index) % kOverlaysLight.size()]);
}

QColor Theme::layer(int index, int count) const { return layerColour(index, count, dark_); }

QPalette Theme::palette() const {
  const Colours& c = colours_;
  QPalette palette;
  palette.setColor(QPalette::Window, c.window);
  palette.setColor(QPalette::WindowText, c.text);
  palette.setColor(QPalette::Base, c.base);
  palette.setColor(QPalette::AlternateBase, c.window);
  palette.setColor(QPalette::Text, c.text);
  palette.setColor(QPalette::PlaceholderText, c.muted);
  palette.setColor(QPalette::Button, c.raised);
  palette.setColor(QPalette::ButtonText, c.text);
  palette.setColor(QPalette::BrightText, c.danger);
  palette.setColor(QPalette::ToolTipBase, c.base);
  palette.setColor(QPalette::ToolTipText, c.text);
  palette.setColor(QPalette::Highlight, c.accent);
  palette.setColor(QPalette::HighlightedText, c.onAccent);
  palette.setColor(QPalette::Link, c.accent);
  palette.setColor(QPalette::LinkVisited, c.accent);
  palette.setColor(QPalette::Light, dark_ ? c.border : c.base);
  palette.setColor(QPalette::Midlight, c.raised);
  palette.setColor(QPalette::Mid, c.border);
  palette.setColor(QPalette::Dark, c.border);
  palette.setColor(QPalette::Shadow, dark_ ? QColor(Qt::black) : c.muted);
  for (QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
    palette.setColor(QPalette::Disabled, role, dark_ ? QColor(0x767f89) : QColor(0x868e97));
  return palette;
}

QString Theme::styleSheet() const {
  const Colours& c = colours_;
  return QString(
             "QToolTip { color: %1; background: %2; border: 1px solid %3; padding: 4px; }"
             "QMainWindow::separator { background: %3; width: 1px; height: 1px; margin: 2px; }"
             "QDockWidget { font-weight: 600; }"
             "QDockWidget::title { background: %4; padding: 5px 8px; text-align: left; }")
      .arg(hex(c.text), hex(c.base), hex(c.border), hex(c.window));
}

void Theme::apply() {
  QApplication::setStyle(QStyleFactory::create("Fusion"));
  QApplication::setPalette(palette());
  QApplication::setFont(font());
  qApp->setStyleSheet(styleSheet());
  Q_EMIT changed();
}

}  // namespace moe::ui
