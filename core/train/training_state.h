#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor/tensor.h"

namespace moe {

/// Everything a bit-identical continuation needs besides the RunConfig: cloned, saved and restored as one value.
/// Draws and batches are counter-based (seed, stream, step), so the step is the data cursor and the random state.
struct TrainingState {
  struct Named {
    std::string name;
    Tensor tensor;
  };
  std::int64_t step = 0;
  std::vector<Named> parameters;         // in the model's order, under the model's names; f32
  std::vector<Named> optimizerM;         // AdamW first moment, same names
  std::vector<Named> optimizerV;         // second moment
  std::vector<Named> selectionBias;      // (E) a layer that has one, "layers.N.router.selection_bias"
};

/// Of all its tensors.
std::int64_t bytesOf(const TrainingState& state);

}  // namespace moe
