#pragma once
#include <span>

#include "core/tensor/tensor.h"

namespace moe {

/// Every sum over a step's batch that several processes could share goes through here. One process: what it has is the
/// sum.
class Reduce {
 public:
  virtual ~Reduce() = default;
  /// Replaces each value by its sum over the processes, in an order that does not depend on timing.
  virtual void sum(std::span<double> /*values*/) {}
  virtual void sum(const TensorView& /*values*/) {}  // on the backend's device
};

}  // namespace moe
