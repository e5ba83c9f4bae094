#pragma once

namespace moe {

/// When an expert counts as dead and an alert is raised (both numbers are settings of the run).
struct AlertConfig {
  double threshold = 0.05;   // of the fair share
  double clears = 0.10;      // hysteresis
  int window = 50;           // steps averaged over
  int restarts = 0;          // automatic ones from the last healthy checkpoint, at most; 0: off
  double dropoutStep = 0.1;  // what each restart adds to combine.expert_dropout
  bool operator==(const AlertConfig&) const = default;
};

}  // namespace moe
