#pragma once
#include <vector>

#include "core/backend/backend.h"
#include "core/model/parameters.h"
#include "core/train/run_config.h"

namespace moe {

/// AdamW over the segments of one model (Loshchilov and Hutter 2019): two moments a segment, in the segments' order.
class Optimizer {
 public:
  Optimizer(Backend& backend, const Parameters& parameters);

  /// Norm of all gradients together, accumulated in f64.
  double gradientNorm(const Parameters& parameters);
  /// One update; `step` counts from 1, gradients are multiplied by `gradientScale`.
  void step(Parameters& parameters, const TrainConfig& train, double learningRate, std::int64_t step,
            double gradientScale);

  std::vector<Tensor>& firstMoments() { return m_; }
  std::vector<Tensor>& secondMoments() { return v_; }

 private:
  Backend& backend_;
  std::vector<Tensor> m_, v_;
  Tensor squares_;  // (segments) f64
};

}  // namespace moe
