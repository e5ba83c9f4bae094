#pragma once
#include "core/router/declarations.h"
#include "core/tensor/tensor.h"

namespace moe {

struct LogitsRecipe {
  enum class Kind { linear, none } kind = Kind::linear;
  bool bias = false;
  bool operator==(const LogitsRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& logitsRows();

/// out (T, E) = x (T, D) W^T (E, D) + b (E). bias may be empty.
template <class S>
void logitsForward(const TensorView& out, const TensorView& x, const TensorView& weight, const TensorView& bias);

/// dWeight += dz^T x, dBias += column sums of dz, dx += dz W (times jitter, elementwise, where not empty).
/// Empty outputs are skipped.
template <class S>
void logitsBackward(const TensorView& dWeight /*+=*/, const TensorView& dBias /*+=*/, const TensorView& dx /*+=*/,
                    const TensorView& dz, const TensorView& x, const TensorView& weight, const TensorView& jitter);

}  // namespace moe
