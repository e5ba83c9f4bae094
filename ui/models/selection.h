#pragma once
#include <QObject>

#include "core/telemetry/points.h"

namespace moe::ui {

/// What is selected. -1: nothing of that kind; step -1: the newest.
struct Place {
  RunId run = 0;
  int layer = -1, expert = -1;  // layer: index in the model's list of layers
  std::int64_t step = -1;
  int token = -1;  // index in the inspected text
  bool operator==(const Place&) const = default;
};

/// Selecting anywhere selects everywhere: every view sets it, every view follows changed().
class Selection : public QObject {
  Q_OBJECT

 public:
  using QObject::QObject;
  const Place& place() const { return place_; }
  void set(const Place& place) {
    if (place == place_) return;
    place_ = place;
    Q_EMIT changed(place_);
  }
  void setRun(RunId run) {
    with([&](Place& p) { p.run = run; });
  }
  void setExpert(int layer, int expert) {
    with([&](Place& p) { p.layer = layer, p.expert = expert; });
  }
  void setLayer(int layer) {
    with([&](Place& p) { p.layer = layer; });
  }
  void setStep(std::int64_t step) {
    with([&](Place& p) { p.step = step; });
  }
  void setToken(int token) {
    with([&](Place& p) { p.token = token; });
  }

 Q_SIGNALS:
  void changed(const moe::ui::Place& place);

 private:
  template <class Edit>
  void with(Edit edit) {
    Place next = place_;
    edit(next);
    set(next);
  }
  Place place_;
};

}  // namespace moe::ui
