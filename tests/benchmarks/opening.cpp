// How long a person waits: from the default recipe to its first training step, and for a long stored run to be read.
//   benchmark_opening [steps of the stored run, 100000]
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/backend/backend.h"
#include "core/session/run_preparation.h"
#include "core/session/stored_runs.h"
#include "core/store/run_store.h"
#include "core/train/trainer.h"

using namespace moe;
namespace fs = std::filesystem;

namespace {

class Watch {
 public:
  /// Milliseconds since the last call.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double passed = std::chrono::duration<double, std::milli>(now - last_).count();
    last_ = now;
    return passed;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void firstStep() {
  Watch watch;
  PreparedRun prepared = prepareRun(runConfigOfPreset(firstPreset().id), {});
  const double data = watch.lap();
  const auto backend = makeBackend(backendOptions(prepared.config));
  Trainer trainer(*backend, prepared.config, prepared.corpus);
  const double model = watch.lap();
  trainer.step();
  const double step = watch.lap();
  std::printf("first step of %s: data %.0f ms, model %.0f ms, step %.0f ms; together %.0f ms\n",
              firstPreset().id.c_str(), data, model, step, data + model + step);
}

constexpr int kLayers = 8, kExperts = 64;

StepPoint pointOf(std::int64_t step) {
  StepPoint point;
  point.step = step;
  point.loss = 2 + std::sin(0.001 * static_cast<double>(step));
  for (int layer = 0; layer < kLayers; ++layer) {
    LayerPoint& at = point.layers.emplace_back();
    at.layer = layer;
    at.assignments = 4096;
    at.load.assign(kExperts, 1.0f / kExperts);
    at.load[static_cast<std::size_t>((step + layer) % kExperts)] += 0.01f;
  }
  return point;
}

void storedRun(std::int64_t steps) {
  const fs::path folder = fs::temp_directory_path() / "switchyard-benchmark-opening";
  fs::remove_all(folder);
  const fs::path file = folder / "runs.db";
  RunId run = 0;
  {
    const auto store = RunStore::open(file, RunStore::Access::write);
    run = store->createRun({.name = "long", .config = "{}"});
    std::vector<StepPoint> points;
    for (std::int64_t step = 1; step <= steps; ++step) {
      points.push_back(pointOf(step));
      if (points.size() < 1000 && step < steps) continue;
      store->append(run, points);
      points.clear();
    }
  }
  Watch watch;
  const auto store = RunStore::open(file, RunStore::Access::readOnly);
  const double open = watch.lap();
  const StoredRun read = readRun(*store, run, 2000);
  const double points = watch.lap();
  const std::vector<LoadColumns> loads = store->loads(run, 0, steps, 1000);
  const double columns = watch.lap();
  std::printf(
      "stored run of %lld steps, %d layers, %d experts (%.0f MB): open %.0f ms, %zu points %.0f ms, "
      "loads of %zu layers %.0f ms; together %.0f ms\n",
      static_cast<long long>(steps), kLayers, kExperts, static_cast<double>(fs::file_size(file)) / 1e6, open,
      read.points.size(), points, loads.size(), columns, open + points + columns);
  fs::remove_all(folder);
}

}  // namespace

int main(int argc, char** argv) {
  firstStep();
  storedRun(argc > 1 ? std::max(1, std::atoi(argv[1])) : 100'000);
  return 0;
}
