#pragma once
#include <cstdint>
#include <functional>
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
  std::vector<Named> parameters;     // in the model's order, under the model's names; f32
  std::vector<Named> optimizerM;     // AdamW first moment, same names
  std::vector<Named> optimizerV;     // second moment
  std::vector<Named> selectionBias;  // (E) a layer that has one, "layers.N.router.selection_bias"
};

/// Of all its tensors.
std::int64_t bytesOf(const TrainingState& state);

/// A training state wherever it lies, to be read a tensor at a time: one of gigabytes is restored without being held.
class StateSource {
 public:
  enum class Part { parameters, firstMoments, secondMoments, selectionBias };
  struct Entry {
    std::string name;
    Shape shape;
    DType dtype = DType::f32;
  };
  virtual ~StateSource() = default;
  virtual std::int64_t step() const = 0;
  /// As the lists of TrainingState: in the model's order.
  virtual std::vector<Entry> entries(Part part) const = 0;
  /// Calls with the tensor of that place in the list, which is there until the call returns.
  virtual void read(Part part, std::size_t place, const std::function<void(const TensorView&)>& take) const = 0;
};

}  // namespace moe
