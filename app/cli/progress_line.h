#pragma once
#include <chrono>
#include <string>

#include "core/base/progress.h"
#include "core/session/work_estimate.h"

namespace moe::cli {

/// How far slow work has come, on the error stream: redrawn in place in a terminal, elsewhere a line every ten seconds.
class ProgressLine {
 public:
  ~ProgressLine() { clear(); }
  void show(const std::string& what, double share);
  /// Takes the line off the terminal, before anything else is written there.
  void clear();
  /// For whoever does the work; ends with it.
  Progress progress() {
    return [this](const std::string& what, double share) { show(what, share); };
  }

 private:
  WorkEstimate estimate_;
  std::string what_;                             // since it was cleared
  std::chrono::steady_clock::time_point shown_;  // or when that began
  bool drawn_ = false;
};

}  // namespace moe::cli
