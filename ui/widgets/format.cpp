#include "ui/widgets/format.h"

#include <QLocale>
#include <QObject>
#include <cmath>

#include "core/base/utf8.h"
#include "core/telemetry/points.h"

namespace moe::ui {

namespace {

constexpr QChar kDash(0x2013);

QString twoDigits(double value) { return QString::number(value, 'f', value < 10 ? 1 : 0); }

/// Index of the unit so that value < base after dividing; `value` is divided.
int scale(double& value, double base, int units) {
  int unit = 0;
  // 0.9995: what would be printed as 1000 of the smaller unit belongs to the larger.
  while (unit + 1 < units && std::abs(value) >= base * 0.9995) value /= base, ++unit;
  return unit;
}

}  // namespace

QString number(double value) {
  if (!std::isfinite(value)) return kDash;
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (size >= 99.95 && size < 1e6) return QString::number(value, 'f', 0);
  if (size >= 9.995 && size < 100) return QString::number(value, 'f', 1);
  if (size >= 0.9995 && size < 10) return QString::number(value, 'f', 2);
  return QString::number(value, 'g', 3);
}

QString shown(const std::string& name) {
  constexpr qsizetype kMost = 80, kEnd = 24;
  const QString all = QString::fromStdString(shownName(name));
  return all.size() <= kMost ? all : all.left(kMost - kEnd - 1) + QChar(0x2026) + all.right(kEnd);
}

QString twoDecimals(double value) { return std::isfinite(value) ? QString::number(value, 'f', 2) : QString(kDash); }

QString grouped(std::int64_t value) {
  return QLocale(QLocale::English, QLocale::UnitedStates).toString(static_cast<qlonglong>(value));
}

QString shortCount(double value) {
  if (!std::isfinite(value)) return kDash;
  static const char* const kUnits[] = {"", "k", " M", " G", " T"};
  const int unit = scale(value, 1000, 5);
  return (unit == 0 ? QString::number(value, 'f', 0) : twoDigits(value)) + kUnits[unit];
}

QString speed(double tokensPerSecond) {
  return tokensPerSecond > 0 && std::isfinite(tokensPerSecond) ? shortCount(tokensPerSecond) + " tok/s"
                                                               : QString(kDash);
}

QString percent(double share) {
  if (!std::isfinite(share)) return kDash;
  const double value = 100 * share;
  const bool small = value != 0 && std::abs(value) < 9.95;
  return QString::number(value, 'f', small ? 1 : 0) + " %";
}

QString duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return kDash;
  const auto whole = static_cast<qint64>(std::llround(seconds));
  const auto padded = [](qint64 n) { return QString::number(n).rightJustified(2, '0'); };
  if (whole < 60) return QString("%1 s").arg(whole);
  if (whole < 3600) return QString("%1 min %2 s").arg(whole / 60).arg(padded(whole % 60));
  return QString("%1 h %2 min").arg(whole / 3600).arg(padded(whole % 3600 / 60));
}

QString bytes(std::int64_t count) {
  static const char* const kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(count);
  const int unit = scale(value, 1024, 5);
  return (unit == 0 ? QString::number(count) : twoDigits(value)) + ' ' + kUnits[unit];
}

QString flops(double count) {
  if (!std::isfinite(count)) return kDash;
  static const char* const kUnits[] = {"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"};
  const int unit = scale(count, 1000, 5);
  return twoDigits(count) + ' ' + kUnits[unit];
}

QString layerWords(int layer) { return layer == kHeadLayer ? QObject::tr("head") : QObject::tr("layer %1").arg(layer); }
QString layerTitle(int layer) { return layer == kHeadLayer ? QObject::tr("Head") : QObject::tr("Layer %1").arg(layer); }
QString layerShort(int layer) { return layer == kHeadLayer ? QObject::tr("head") : QString("L%1").arg(layer); }

}  // namespace moe::ui
