#include "ui/widgets/number_field.h"

#include <QLineEdit>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

namespace moe::ui {

namespace {

constexpr int kRestMilliseconds = 250;

/// The shortest text that means the same: 0.002 rather than 0.0020000000000000001.
QString shortest(double value) {
  for (int digits = 6; digits < 17; ++digits)
    if (const QString text = QString::number(value, 'g', digits); text.toDouble() == value) return text;
  return QString::number(value, 'g', 17);
}

}  // namespace

NumberField::NumberField(Range range, QWidget* parent) : QAbstractSpinBox(parent), range_(range) {
  setFocusPolicy(Qt::StrongFocus);
  setKeyboardTracking(false);
  lineEdit()->setAlignment(Qt::AlignRight);
  rest_.setSingleShot(true);
  rest_.setInterval(kRestMilliseconds);
  connect(&rest_, &QTimer::timeout, this, &NumberField::commit);
  connect(this, &QAbstractSpinBox::editingFinished, this, &NumberField::commit);
}

void NumberField::setValue(const QString& json) {
  QString text;
  bool number = false;
  if (const double value = json.toDouble(&number); number) text = range_.integer ? json : shortest(value);
  if (text == shown_ && text == lineEdit()->text()) return;
  if (rest_.isActive() || (hasFocus() && lineEdit()->text() != shown_)) return;
  shown_ = text;
  lineEdit()->setText(text);
}

QString NumberField::value() const {
  const QString text = lineEdit()->text().trimmed();
  return text.isEmpty() ? "null" : text;
}

void NumberField::setPlaceholder(const QString& words) { lineEdit()->setPlaceholderText(words); }

void NumberField::stepBy(int steps) {
  const double now = lineEdit()->text().toDouble();
  // Small values step by a tenth of their leading digit's place, so that 0.0003 does not fall to zero at once.
  double step = range_.step;
  if (!range_.integer && now > 0 && now < range_.step * 1.5) step = std::pow(10, std::floor(std::log10(now) - 1e-9));
  const double next = std::clamp(std::round((now + steps * step) / step) * step, range_.minimum, range_.maximum);
  lineEdit()->setText(QString::number(next, 'g', range_.integer ? 15 : 6));
  rest_.start();
}

void NumberField::commit() {
  rest_.stop();
  if (lineEdit()->text() == shown_) return;
  shown_ = lineEdit()->text();
  Q_EMIT committed();
}

void NumberField::wheelEvent(QWheelEvent* event) {
  if (hasFocus())
    QAbstractSpinBox::wheelEvent(event);
  else
    event->ignore();
}

QSize NumberField::sizeHint() const {
  return {fontMetrics().horizontalAdvance("0.000123") + 36, QAbstractSpinBox::sizeHint().height()};
}

}  // namespace moe::ui
