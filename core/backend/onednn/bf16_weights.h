#pragma once
#include <functional>
#include <map>

#include "core/tensor/tensor.h"

namespace moe {

/// bf16 copies of the parameters that matrix products read. A copy is made when first asked for, refreshed by the
/// optimizer while the parameter is in cache anyway, stale once something else wrote there, and gone with the memory.
class Bf16Weights {
 public:
  /// Outside parallel regions. `convert` (out, in) is called where there is no copy, or a stale one.
  const BFloat16* of(const TensorView& weight, const std::function<void(BFloat16*, const TensorView&)>& convert);
  /// Where the optimizer puts the rounded values of what it writes to `parameter`, or null where nobody multiplied by
  /// it. The caller fills all of it.
  BFloat16* refreshed(const TensorView& parameter);
  /// Something wrote here.
  void changed(const TensorView& written);
  /// This memory is given back.
  void forget(const void* begin, std::size_t bytes);
  /// How many copies were allocated so far.
  std::int64_t allocations() const { return allocations_; }

 private:
  struct Copy {
    Tensor values;  // (elements) bf16
    bool fresh = false;
  };
  std::map<const float*, Copy> copies_;  // by the first element
  std::int64_t allocations_ = 0;
};

}  // namespace moe
