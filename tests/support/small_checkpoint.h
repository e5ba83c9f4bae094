#pragma once
#include <string>

#include "core/formats/checkpoint.h"

namespace moe::test {

inline Tensor tensorOf(Shape shape, float first) {
  Tensor tensor = hostTensor(shape, DType::f32);
  for (float& x : tensor.span<float>()) x = first, first += 0.25f;
  return tensor;
}

/// A checkpoint of a few tensors; no model would take it, but the files are whole.
inline Checkpoint smallCheckpoint() {
  Checkpoint checkpoint;
  checkpoint.config = runConfigOfPreset(presets().front().id);
  checkpoint.config.train.learningRate = 0.1 + 0.2;
  checkpoint.tokenizer = trainBpeTokenizer("the cat and the hat and the bat", 262);
  checkpoint.run = 12;
  checkpoint.state.step = 300;
  checkpoint.state.parameters.push_back({"embedding", tensorOf({5, 3}, 1)});
  checkpoint.state.parameters.push_back({"a norm", tensorOf({3}, -2)});
  checkpoint.state.optimizerM.push_back({"embedding", tensorOf({5, 3}, 10)});
  checkpoint.state.optimizerM.push_back({"a norm", tensorOf({3}, 20)});
  checkpoint.state.optimizerV.push_back({"embedding", tensorOf({5, 3}, 30)});
  checkpoint.state.optimizerV.push_back({"a norm", tensorOf({3}, 40)});
  checkpoint.state.selectionBias.push_back({"layers.1.router.selection_bias", tensorOf({4}, 0.5f)});
  return checkpoint;
}

}  // namespace moe::test
