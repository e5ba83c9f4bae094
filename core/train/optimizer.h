#pragma once
#include <vector>

#include "core/backend/ops/adamw.h"
#include "core/backend/ops/gradients.h"
#include "core/model/parameters.h"
#include "core/train/run_config.h"

namespace moe {

class Backend;

/// AdamW over the segments of one model (Loshchilov and Hutter 2019): two moments a segment, in the segments' order.
/// Asks the backend and reads nothing back.
class Optimizer {
 public:
  Optimizer(Backend& backend, const Parameters& parameters);

  /// One update; `step` counts from 1. Gradients are clipped to train.clip by the norm of all of them together; where
  /// that or `loss` (1) is not finite nothing moves.
  /// update (2) f64: {norm of the gradients before clipping, what they were multiplied by}.
  void step(const TensorView& update, const Parameters& parameters, const TrainConfig& train, double learningRate,
            std::int64_t step, const TensorView& loss);

  std::vector<Tensor>& firstMoments() { return m_; }
  std::vector<Tensor>& secondMoments() { return v_; }

 private:
  void findParts(const Parameters& parameters, double weightDecay);

  Backend& backend_;
  std::vector<Tensor> m_, v_;
  std::vector<AdamWPart> parts_;       // what learns
  std::vector<TensorView> gradients_;  // theirs
  Tensor squares_;                     // (at least as many) f64
};

}  // namespace moe
