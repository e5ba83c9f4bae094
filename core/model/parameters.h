#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/tensor.h"

namespace moe {

/// A named segment: one weight with its gradient. f32 (f64 in gradient checks). Storage is owned by the model, or mapped
/// from a file by whoever loads one.
struct Parameter {
  std::string name;        // "layers.2.experts.down"
  TensorView value;
  TensorView gradient;     // same shape; empty for a model that only infers
  bool decays = false;     // weight decay applies: matrices yes, norms and biases no
  bool frozen = false;     // the optimiser leaves it alone
};

/// All segments of a model in a fixed order, allocated in two arenas (values, gradients).
class Parameters {
 public:
  std::vector<Parameter>& all() { return all_; }
  const std::vector<Parameter>& all() const { return all_; }
  /// Null where there is none of that name.
  const Parameter* find(std::string_view name) const;
  std::int64_t elements() const;

 private:
  std::vector<Parameter> all_;
};

}  // namespace moe
