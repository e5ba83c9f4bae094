#include "core/experiments/train_arm.h"

#include <algorithm>
#include <chrono>
#include <deque>

#include "core/backend/backend.h"
#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/experiments/removals.h"
#include "core/session/run_in_training.h"
#include "core/telemetry/health.h"
#include "core/telemetry/load_window.h"

namespace moe {
namespace {

constexpr double kDeadShare = 0.05;      // of the fair share
constexpr std::int64_t kLoadSteps = 50;  // that a dead expert is judged by
constexpr std::size_t kVioSteps = 100;   // Wang et al. 2024 smooth MaxVio over as many batches

/// What the steps say of the balance.
class BalanceWatch {
 public:
  void add(const StepPoint& point) {
    if (point.layers.empty()) return;
    double sum = 0;
    for (const LayerPoint& layer : point.layers) {
      sum += layer.maxVio;
      worst_ = std::max(worst_, static_cast<double>(layer.maxVio));
    }
    recent_.push_back(sum / static_cast<double>(point.layers.size()));
    if (recent_.size() > kVioSteps) recent_.pop_front();
    loads_.push(point);
  }
  void report(ArmResult& result) const {
    if (recent_.empty()) return;
    const auto dead = std::ranges::count_if(loads_.utilization(kLoadSteps), [](const ExpertUtilization& expert) {
      return expert.utilization < kDeadShare;
    });
    result.values.emplace_back("max_vio_batch", meanOf({recent_.begin(), recent_.end()}));
    result.values.emplace_back("max_vio_worst", worst_);
    result.values.emplace_back("dead_experts", static_cast<double>(dead));
  }

 private:
  std::deque<double> recent_;  // MaxVio of the newest batches, mean of the layers
  double worst_ = 0;
  LoadWindow loads_{kLoadSteps};
};

}  // namespace

Checkpoint checkpointOf(const Trainer& trainer) {
  return {.config = trainer.config(),
          .state = trainer.state(),
          .tokenizer = trainer.corpus().sharedTokenizer(),
          .textChecksum = checksumText(trainer.corpus().checksum()),
          .run = 0,
          .watch = {}};
}

ArmResult trainArm(const RunConfig& config, const std::filesystem::path& checkpoint) {
  const auto began = std::chrono::steady_clock::now();
  PreparedRun prepared = prepareRun(config, {});
  const std::unique_ptr<Backend> backend = makeBackend(backendOptions(prepared.config));
  Recorder nowhere(nullptr);
  RunSummary summary = summaryOf(prepared);
  RunInTraining run(std::move(summary), {}, std::move(prepared), *backend, nowhere);
  Trainer& trainer = run.trainer();
  ArmResult result;
  BalanceWatch watch;
  result.validation.emplace_back(0, trainer.evaluate());
  while (!run.finished()) {
    const RunInTraining::Step step = run.step(true);
    if (!step.finite)
      throw Error("experiment", "the loss of step " + std::to_string(run.stepsDone() + 1) +
                                    " is not a finite number; lower train.learning_rate");
    watch.add(step.point);
    if (step.point.validationLoss) result.validation.emplace_back(step.point.step, *step.point.validationLoss);
  }
  result.values.emplace_back("validation_loss", result.validation.back().second);
  if (!trainer.model().expertLayers().empty()) result.values.emplace_back("max_vio_global", trainer.validationMaxVio());
  watch.report(result);
  measureRemovals(result, *backend, trainer);
  const ModelSize size = sizeOf(trainer.config());
  result.values.emplace_back("active_parameters", static_cast<double>(size.activeParameters));
  result.values.emplace_back("total_parameters", static_cast<double>(size.totalParameters));
  if (!checkpoint.empty()) saveCheckpoint(checkpoint, checkpointOf(trainer));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return result;
}

}  // namespace moe
