#pragma once
#include <exception>
#include <functional>
#include <string>

namespace moe {

/// Told how far something slow has come: what it does ("reading text") and which share of that is done, 0 to 1. On the
/// thread that does it, some hundred times at most. What it throws ends the work, which then changed nothing. May be empty.
using Progress = std::function<void(const std::string& what, double share)>;

/// Thrown by a Progress where nobody wants the result any more.
struct Ended : std::exception {
  const char* what() const noexcept override { return "ended before it was done"; }
};

/// Tells a Progress of `total` pieces, each time another hundredth of them is done.
class Steps {
 public:
  Steps(const Progress& progress, std::string what, double total)
      : progress_(progress), what_(std::move(what)), total_(total) {
    add(0);
  }
  void add(double pieces) {
    done_ += pieces;
    if (!progress_ || total_ <= 0 || done_ < next_) return;
    next_ = done_ + total_ / 100;
    progress_(what_, done_ < total_ ? done_ / total_ : 1.0);
  }

 private:
  const Progress& progress_;
  const std::string what_;
  const double total_;
  double done_ = 0, next_ = 0;
};

}  // namespace moe
