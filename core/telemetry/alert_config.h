#pragma once

namespace moe {

/// When an expert counts as dead and an alert is raised (both numbers are settings of the run).
struct AlertConfig {
  double threshold = 0.05;               // of the fair share
  double clears = 0.10;                  // hysteresis
  int window = 50;                       // steps averaged over
  bool operator==(const AlertConfig&) const = default;
};

}  // namespace moe
