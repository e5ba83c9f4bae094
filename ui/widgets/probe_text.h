#pragma once
#include <QPlainTextEdit>

namespace moe::ui {

/// The text whose routing is looked at. It holds no more than a model could route, the end of it, as a longer one would
/// hold up every key: what stood before is left out, and counted.
class ProbeText : public QPlainTextEdit {
  Q_OBJECT

 public:
  explicit ProbeText(QWidget* parent = nullptr);

  static constexpr int kMostCharacters = 20'000;
  /// Characters that were left out of what was pasted or set last; 0: all of it is here.
  qsizetype leftOut() const { return leftOut_; }
  void setText(const QString& text);

 Q_SIGNALS:
  void leftOutChanged();

 protected:
  bool canInsertFromMimeData(const QMimeData* source) const override;
  void insertFromMimeData(const QMimeData* source) override;

 private:
  void setLeftOut(qsizetype characters);

  qsizetype leftOut_ = 0;
};

}  // namespace moe::ui
