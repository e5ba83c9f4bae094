#pragma once
#include <vector>

#include "core/store/run_store.h"

namespace moe::test {

/// A point with two expert layers (1 and 3) whose every number tells its step, layer and place.
inline StepPoint pointAt(std::int64_t step, int experts = 4) {
  StepPoint point;
  point.step = step;
  const auto s = static_cast<double>(step);
  point.loss = 5 - s / 1000;
  if (step % 100 == 0) point.validationLoss = 6 - s / 1000;
  point.auxLoss = s * 0.5;
  point.zLoss = s * 0.25;
  point.gradientNorm = s + 0.125;
  point.learningRate = 1e-3;
  point.tokensPerSecond = 8000 + s;
  point.balance = {static_cast<float>(s), -1};
  for (const int layer : {1, 3}) {
    LayerPoint at;
    at.layer = layer;
    const auto base = static_cast<float>(step * 10 + layer);
    for (int e = 0; e < experts; ++e) at.load.push_back(base + static_cast<float>(e) / 8);
    float next = base;
    for (float* metric : {&at.maxVio, &at.cv2, &at.dropRate, &at.tokenDropRate, &at.routerEntropy, &at.loadEntropy,
                          &at.meanProbEntropy, &at.margin, &at.biasJaccard, &at.unused, &at.dead, &at.importanceCv2,
                          &at.languageGradient, &at.balanceGradient})
      *metric = next += 0.5f;
    at.assignments = 4096;
    at.balance = {base, -base};
    if (step % 10 == 1) at.termGradient = {base / 4, 0};
    point.layers.push_back(at);
  }
  return point;
}

inline std::vector<StepPoint> pointsFrom(std::int64_t first, std::int64_t last, int experts = 4) {
  std::vector<StepPoint> points;
  for (std::int64_t step = first; step <= last; ++step) points.push_back(pointAt(step, experts));
  return points;
}

inline bool same(const LayerPoint& a, const LayerPoint& b) {
  return a.layer == b.layer && a.load == b.load && a.maxVio == b.maxVio && a.cv2 == b.cv2 && a.dropRate == b.dropRate &&
         a.tokenDropRate == b.tokenDropRate && a.routerEntropy == b.routerEntropy && a.loadEntropy == b.loadEntropy &&
         a.meanProbEntropy == b.meanProbEntropy && a.margin == b.margin && a.biasJaccard == b.biasJaccard &&
         a.balance == b.balance && a.unused == b.unused && a.dead == b.dead && a.importanceCv2 == b.importanceCv2 &&
         a.languageGradient == b.languageGradient && a.balanceGradient == b.balanceGradient &&
         a.assignments == b.assignments && a.termGradient == b.termGradient;
}

/// All but the run.
inline bool same(const StepPoint& a, const StepPoint& b) {
  if (a.step != b.step || a.loss != b.loss || a.validationLoss != b.validationLoss || a.auxLoss != b.auxLoss ||
      a.zLoss != b.zLoss || a.gradientNorm != b.gradientNorm || a.learningRate != b.learningRate ||
      a.tokensPerSecond != b.tokensPerSecond || a.balance != b.balance || a.layers.size() != b.layers.size())
    return false;
  for (std::size_t i = 0; i < a.layers.size(); ++i)
    if (!same(a.layers[i], b.layers[i])) return false;
  return true;
}

inline bool same(const std::vector<StepPoint>& a, const std::vector<StepPoint>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!same(a[i], b[i])) return false;
  return true;
}

}  // namespace moe::test
