#pragma once
#include <memory>
#include <span>

#include "core/tensor/tensor.h"

namespace moe {

/// The processes that share one run. Every sum over a step's batch that they could share goes through here. Called on
/// the trainer's thread, by all of them in the same order.
class Collective {
 public:
  virtual ~Collective() = default;
  /// Replaces each value by its sum over the processes, in an order that does not depend on timing.
  virtual void sum(std::span<double> values) = 0;
  virtual void sum(const TensorView& values) = 0;  // on the backend's device
};

/// One process: what it has is the sum.
class OneProcess : public Collective {
 public:
  void sum(std::span<double> /*values*/) override {}
  void sum(const TensorView& /*values*/) override {}
};

}  // namespace moe
