// What watching costs: benchmark_live_metrics [SECONDS] [PRESET]
// Two models of one preset, seed and data take every step in turn, one measured and one not, in the order ABBA, so that
// whatever else slows the machine slows both. A block is kLanguageEvery steps: it holds every look at the balance terms'
// gradients. The share printed is the median over blocks; beside it what a study costs, spread over the steps between two.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/train/trainer.h"

using namespace moe;

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

double timed(Trainer& trainer) {
  const auto began = Clock::now();
  trainer.step();
  return secondsSince(began);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const double limit = argc > 1 ? std::atof(argv[1]) : 30;
  RunConfig config = runConfigOfPreset(argc > 2 ? argv[2] : firstPreset().id);
  config.train.steps = 1'000'000;
  const std::shared_ptr<const Corpus> corpus = loadCorpus(config.data);
  const std::unique_ptr<Backend> backend =
      makeBackend({config.backend, config.threads, config.computeType.value_or(DType::f32)});
  Trainer measured(*backend, config, corpus), plain(*backend, config, corpus);
  plain.setMeasuring(false);
  for (std::int64_t i = 0; i < kBalancerEvery; ++i) measured.step(), plain.step();  // memory grows, frequencies settle
  const auto studied = Clock::now();
  measured.study();
  const double study = secondsSince(studied);
  std::vector<double> share, withMetrics, without;
  const auto began = Clock::now();
  while (secondsSince(began) < limit || share.empty()) {
    double a = 0, b = 0;
    for (std::int64_t i = 0; i < kLanguageEvery; ++i) {
      if (i % 2 == 0)
        a += timed(measured), b += timed(plain);
      else
        b += timed(plain), a += timed(measured);
    }
    share.push_back(a / b - 1);
    withMetrics.push_back(a / kLanguageEvery);
    without.push_back(b / kLanguageEvery);
  }
  const double step = median(without), studyShare = study / step / std::max(1, config.train.validateEvery);
  std::sort(share.begin(), share.end());
  std::printf(
      "%s, %d threads, %zu blocks of %lld steps: %.2f ms a step measured, %.2f ms not: %+.2f %% (quartiles %+.2f .. "
      "%+.2f)\n",
      config.preset.c_str(), backend->threads(), share.size(), static_cast<long long>(kLanguageEvery),
      1e3 * median(withMetrics), 1e3 * step, 100 * median(share), 100 * share[share.size() / 4],
      100 * share[share.size() * 3 / 4]);
  std::printf("a study every %d steps: %.1f ms, %+.2f %% of a step\n", config.train.validateEvery, 1e3 * study,
              100 * studyShare);
  return 0;
}
