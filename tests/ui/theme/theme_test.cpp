#include "ui/theme/theme.h"

#include <cmath>

#include "tests/support/register.h"
#include "ui/theme/palettes.h"

using namespace moe::ui;

namespace {
// Relative luminance and contrast as WCAG 2 defines them.
double luminance(const QColor& c) {
  const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
  return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF());
}
double contrast(const QColor& a, const QColor& b) {
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}
}  // namespace

class ThemeTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void wordsStandOutFromTheirGroundInBothThemes() {
    Theme theme;
    for (const auto mode : {Theme::Mode::light, Theme::Mode::dark}) {
      theme.setMode(mode);
      const Colours& c = theme.colours();
      for (const QColor& ground : {c.window, c.base})
        for (const QColor& words : {c.text, c.muted, c.accent, c.good, c.warning, c.danger})
          QVERIFY2(contrast(words, ground) >= 4.5, qPrintable(words.name() + " on " + ground.name()));
      QVERIFY(contrast(c.onAccent, c.accent) >= 4.5);
      for (const auto curve :
           {Theme::Curve::train, Theme::Curve::validation, Theme::Curve::twin, Theme::Curve::aux, Theme::Curve::speed})
        QVERIFY(contrast(theme.curve(curve), c.base) >= 3);
    }
  }
  void presenterModeIsLargeEnoughForAHall() {
    Theme theme;
    theme.setPresenter(true);
    for (const auto size : {Theme::Size::small, Theme::Size::normal, Theme::Size::large})
      QVERIFY(theme.font(size).pointSizeF() >= 20);
    QVERIFY(theme.axisFont().pointSizeF() >= 18);
    QVERIFY(theme.lineWidth() >= 3);
    theme.setPresenter(false);
    QVERIFY(theme.font().pointSizeF() < 20);
  }
  void theFairShareStandsInTheMiddleOfTheLoadScale() {
    QCOMPARE(loadPosition(0, 8), 0.0);
    QCOMPARE(loadPosition(1, 8), 0.5);
    QCOMPARE(loadPosition(8, 8), 1.0);
    QCOMPARE(loadPosition(80, 8), 1.0);
    QCOMPARE(loadPosition(std::nan(""), 8), 0.0);
    QVERIFY(loadPosition(2, 8) > 0.5 && loadPosition(4, 8) > loadPosition(2, 8));
    QCOMPARE(loadTicks(4), (std::vector<double>{0, 1, 4}));
    for (const bool dark : {false, true}) {
      const QColor middle(loadColour(1, 8, dark));
      QVERIFY2(middle.saturation() < 60, "balance is neutral");
      QVERIFY(QColor(loadColour(0, 8, dark)).blue() > QColor(loadColour(0, 8, dark)).red());
      QVERIFY(QColor(loadColour(6, 8, dark)).red() > QColor(loadColour(6, 8, dark)).blue());
    }
  }
  void probabilitiesGrowLighter() {
    for (int i = 1; i <= 20; ++i)
      QVERIFY(luminance(QColor(probabilityColour(i / 20.0))) > luminance(QColor(probabilityColour((i - 1) / 20.0))));
  }
  void expertsDifferFromEachOther() {
    for (const int experts : {8, 64})
      for (int a = 0; a < experts; ++a)
        for (int b = 0; b < a; ++b) QVERIFY(expertColour(a, experts) != expertColour(b, experts));
    for (int e = 0; e < 8; ++e) QVERIFY(contrast(textOn(expertColour(e, 8)), expertColour(e, 8)) >= 3);
  }
};
SWITCHYARD_TEST(ThemeTest)
#include "theme_test.moc"
