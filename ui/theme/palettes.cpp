#include "ui/theme/palettes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace moe::ui {

namespace {

QRgb between(std::span<const QRgb> stops, double position) {
  const double at = std::clamp(position, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(at), stops.size() - 2);
  const double t = at - static_cast<double>(i);
  const auto mix = [t](int a, int b) { return static_cast<int>(std::lround(a + (b - a) * t)); };
  const QRgb a = stops[i], b = stops[i + 1];
  return qRgb(mix(qRed(a), qRed(b)), mix(qGreen(a), qGreen(b)), mix(qBlue(a), qBlue(b)));
}

// Blue to orange through the ground's own neutral: safe for the common colour deficiencies, and a balanced yard is calm.
constexpr std::array<QRgb, 7> kLoadLight{0xff08306b, 0xff2f72b8, 0xff9cc3e3, 0xffeff0ee,
                                         0xfff5bf86, 0xffd9701c, 0xff7f2704};
constexpr std::array<QRgb, 7> kLoadDark{0xff8fd0ff, 0xff3d8fd6, 0xff234f78, 0xff2b2f35,
                                        0xff7d4a1c, 0xffe08a35, 0xffffdf9e};

constexpr std::array<QRgb, 8> kCividis{0xff00224e, 0xff213b6e, 0xff4c556c, 0xff6c6e72,
                                       0xff8f8a78, 0xffb4a86c, 0xffdac757, 0xfffee838};

// Okabe and Ito's eight, black replaced by grey so that it stands on a dark ground too.
constexpr std::array<QRgb, 8> kOkabeIto{0xffe69f00, 0xff56b4e9, 0xff009e73, 0xfff0e442,
                                        0xff0072b2, 0xffd55e00, 0xffcc79a7, 0xff8a8f96};

}  // namespace

double loadPosition(double relativeLoad, double most) {
  if (!(relativeLoad > 0)) return 0;
  if (relativeLoad <= 1) return 0.5 * relativeLoad;
  return 0.5 + 0.5 * std::min(1.0, std::log(relativeLoad) / std::log(std::max(most, 1.001)));
}

QRgb loadColour(double relativeLoad, double most, bool dark) {
  return between(dark ? std::span<const QRgb>(kLoadDark) : std::span<const QRgb>(kLoadLight),
                 loadPosition(relativeLoad, most));
}

std::vector<double> loadTicks(double most) {
  std::vector<double> ticks{0, 1};
  if (most > 1) ticks.push_back(most);
  return ticks;
}

QRgb probabilityColour(double p) { return between(kCividis, p); }

QColor expertColour(int expert, int experts) {
  if (experts <= static_cast<int>(kOkabeIto.size()))
    return QColor(kOkabeIto[static_cast<std::size_t>(expert) % kOkabeIto.size()]);
  // The golden angle spreads hues of any count; lightness steps tell neighbours on the wheel apart.
  constexpr double kGoldenAngle = 137.50776405;
  constexpr int kLightness[] = {150, 105, 185};
  return QColor::fromHsl(static_cast<int>(std::fmod(expert * kGoldenAngle, 360.0)), 150, kLightness[expert % 3]);
}

QColor textOn(const QColor& ground) {
  return 0.299 * ground.red() + 0.587 * ground.green() + 0.114 * ground.blue() > 140 ? QColor(Qt::black)
                                                                                     : QColor(Qt::white);
}

QColor layerColour(int index, int count, bool dark) {
  const double t = count > 1 ? static_cast<double>(index) / (count - 1) : 0;
  const int hue = static_cast<int>(175 + 130 * t);  // teal over blue to violet
  return dark ? QColor::fromHsl(hue, 150, static_cast<int>(150 + 45 * t))
              : QColor::fromHsl(hue, 170, static_cast<int>(95 - 20 * t));
}

}  // namespace moe::ui
