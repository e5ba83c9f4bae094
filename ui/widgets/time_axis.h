#pragma once
#include <QObject>

namespace moe::ui {

/// The step axis that the heatmap and all plots share: they zoom and pan together, and follow the newest step unless the
/// person has zoomed.
class TimeAxis : public QObject {
  Q_OBJECT

 public:
  using QObject::QObject;

  double first() const { return first_; }
  double last() const { return last_; }
  double newest() const { return newest_; }
  bool following() const { return following_; }

  /// The newest step there is; moves the end while following.
  void setNewest(double step);
  /// Shows just these steps and stops following.
  void show(double first, double last);
  /// factor < 1: nearer; `at` stays where it is.
  void zoom(double factor, double at);
  void pan(double steps);
  /// Back to everything, following the newest.
  void follow();

 Q_SIGNALS:
  void changed();

 private:
  void set(double first, double last);

  double first_ = 0, last_ = kShortest, newest_ = 0;
  bool following_ = true;
  static constexpr double kShortest = 50;  // steps shown at the start, so that the first columns do not fill the window
};

/// Where ticks stand between first and last: round steps (1, 2, 5 times a power of ten), at most `most` of them.
struct StepTicks {
  double from = 0, every = 1;
  int count = 0;
};
StepTicks stepTicks(double first, double last, int most);

}  // namespace moe::ui
