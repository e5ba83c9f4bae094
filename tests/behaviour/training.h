#pragma once
// A whole training run of a preset, as the headless program does it, and what came of it.
#include <algorithm>

#include "core/backend/backend.h"
#include "core/telemetry/collapse_detector.h"
#include "core/train/trainer.h"

// These tests prove what training does, not memory or races: minutes of arithmetic that a sanitizer makes an hour.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_UNDER_SANITIZERS QSKIP("minutes of training, and nothing in it that the other tests do not reach");
#else
#define SKIP_UNDER_SANITIZERS
#endif

namespace moe::test {

struct Trained {
  int dead = 0;  // experts below 5 % of the fair share over the last 50 steps
  int alertsRaised = 0;
  double maxVio = 0;          // of the worst layer, loads of the last 50 steps together
  double validationLoss = 0;  // nats a token
  double unigramEntropy = 0;
};

inline Trained train(RunConfig config, std::int64_t steps, std::uint64_t seed) {
  config.train.steps = steps;
  config.seed = seed;
  config.threads = 1;
  const auto corpus = loadCorpus(config.data);
  const auto backend =
      makeBackend({.name = config.backend, .threads = config.threads, .computeType = config.computeType.value()});
  Trainer trainer(*backend, config, corpus);
  CollapseDetector detector(0, config.alerts);
  LoadWindow window(kSummarySteps);
  Trained result;
  for (std::int64_t i = 0; i < steps; ++i) {
    const StepPoint point = trainer.step();
    window.push(point);
    for (const RunEvent& event : detector.update(point))
      result.alertsRaised += event.kind == RunEvent::Kind::alertRaised;
  }
  for (const ExpertUtilization& expert : window.utilization(kSummarySteps)) result.dead += expert.utilization < 0.05;
  for (const double layer : window.maxVio(kSummarySteps)) result.maxVio = std::max(result.maxVio, layer);
  result.validationLoss = trainer.evaluate();
  result.unigramEntropy = corpus->unigramEntropy();
  return result;
}

}  // namespace moe::test
