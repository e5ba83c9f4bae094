#pragma once
#include <QAbstractSpinBox>
#include <QTimer>

namespace moe::ui {

/// A number as it is written: arrows step it, 2e-4 and 0.0002 are both fine, and what cannot be read is kept to be put
/// right. Empty where that means "none". The wheel scrolls the page, unless the field is being edited.
class NumberField : public QAbstractSpinBox {
  Q_OBJECT

 public:
  struct Range {
    double minimum = 0, maximum = 1, step = 0.01;
    bool integer = false;
  };
  NumberField(Range range, QWidget* parent = nullptr);

  /// JSON text: a number, or "null" for none. Kept back while the person is typing.
  void setValue(const QString& json);
  QString value() const;
  void setPlaceholder(const QString& words);

  void stepBy(int steps) override;
  QValidator::State validate(QString&, int&) const override { return QValidator::Acceptable; }
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 Q_SIGNALS:
  void committed();

 protected:
  StepEnabled stepEnabled() const override { return StepUpEnabled | StepDownEnabled; }
  void wheelEvent(QWheelEvent* event) override;

 private:
  void commit();

  Range range_;
  QString shown_;  // as last set or committed
  QTimer rest_;    // arrows held down are one change
};

}  // namespace moe::ui
