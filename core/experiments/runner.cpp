#include "core/experiments/runner.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>

#include "core/backend/backend.h"
#include "core/experiments/results.h"
#include "core/experiments/train_arm.h"

namespace moe {
namespace {

/// One arm on one seed.
struct Task {
  std::string key, says;
  RunConfig config;
  bool grows = false;      // needs another task's checkpoint
  bool grownFrom = false;  // others need its checkpoint
};

/// Every arm and seed of the experiments, each configuration once.
class Plan {
 public:
  Plan(const ResultFolder& folder, const std::filesystem::path& texts) : folder_(folder), texts_(texts) {}

  const std::string& add(const Experiment& experiment, const Arm& arm, std::uint64_t seed, bool grownFrom = false) {
    Task task;
    std::string denseKey;
    if (arm.grownFrom.empty()) {
      task.config = configOf(experiment, arm, seed, nullptr);
    } else {
      denseKey = add(experiment, armOf(experiment, arm.grownFrom), seed, true);
      const DenseStart dense{of(denseKey).config, folder_.checkpointOf(denseKey).string()};
      task.config = configOf(experiment, arm, seed, &dense);
      task.grows = true;
    }
    if (!experiment.text.empty())
      task.config.data.source = std::filesystem::absolute(texts_ / experiment.text).string();
    task.key = ResultFolder::keyOf(task.config, denseKey);
    task.says = experiment.id + ", " + arm.name + ", seed " + std::to_string(seed);
    if (std::ranges::find(tasks_, task.key, &Task::key) == tasks_.end()) tasks_.push_back(task);
    Task& kept = of(task.key);
    kept.grownFrom = kept.grownFrom || grownFrom;
    return kept.key;
  }

  /// Those still to be trained, of the two rounds: dense ones that others grow from come before those.
  std::vector<const Task*> missing(bool grows) const {
    std::vector<const Task*> list;
    for (const Task& task : tasks_) {
      const bool checkpointLost = task.grownFrom && !std::filesystem::exists(folder_.checkpointOf(task.key));
      if (task.grows == grows && (!folder_.find(task.key) || checkpointLost)) list.push_back(&task);
    }
    return list;
  }

 private:
  Task& of(const std::string& key) { return *std::ranges::find(tasks_, key, &Task::key); }

  const ResultFolder& folder_;
  const std::filesystem::path& texts_;
  std::vector<Task> tasks_;
};

/// What an experiment needs and this machine has not; empty: nothing.
std::string lacking(const Experiment& experiment, const RunnerSettings& settings) {
  std::error_code code;
  if (!experiment.text.empty() &&
      (settings.texts.empty() || !std::filesystem::exists(settings.texts / experiment.text, code)))
    return "the text " + experiment.text + " (--texts FOLDER)";
  for (const Arm& arm : experiment.arms) {
    const RunConfig config = configOf(experiment, arm, experiment.seeds.front());
    if (config.computeType == DType::bf16 && !canCompute(config.backend, DType::bf16))
      return "a processor that multiplies in bf16";
  }
  return {};
}

/// Trains the tasks on `jobs` threads, each with a backend of its own.
void train(const std::vector<const Task*>& tasks, const ResultFolder& folder, const RunnerSettings& settings) {
  std::mutex mutex;  // guards what follows, and the progress
  std::size_t next = 0, done = 0;
  std::exception_ptr failure;
  const auto work = [&] {
    for (;;) {
      const Task* task = nullptr;
      {
        const std::lock_guard lock(mutex);
        if (failure || next == tasks.size()) return;
        task = tasks[next++];
      }
      try {
        const ArmResult result = trainArm(task->config, task->grownFrom ? folder.checkpointOf(task->key) : "");
        folder.keep(task->key, task->config, result);
        const std::lock_guard lock(mutex);
        ++done;
        if (settings.progress)
          settings.progress(task->says + ": held-out loss " + textOfValues({*result.value("validation_loss")}, 4) +
                            " after " + textOfValues({result.seconds}, 0) + " s (" + std::to_string(done) + " of " +
                            std::to_string(tasks.size()) + ")");
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < std::max(1, settings.jobs); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

std::vector<Outcome> runExperiments(std::span<const Experiment> experiments, const RunnerSettings& settings) {
  const ResultFolder folder(settings.folder);
  Plan plan(folder, settings.texts);
  std::vector<std::vector<std::vector<std::string>>> keys;  // [experiment][arm][seed]
  std::vector<Outcome> outcomes;
  for (const Experiment& experiment : experiments) {
    outcomes.push_back(
        {experiment, settings.seeds.empty() ? experiment.seeds : settings.seeds, {}, lacking(experiment, settings)});
    auto& ofArms = keys.emplace_back();
    if (!outcomes.back().lacks.empty()) continue;
    for (const Arm& arm : experiment.arms) {
      auto& ofSeeds = ofArms.emplace_back();
      for (const std::uint64_t seed : outcomes.back().seeds) ofSeeds.push_back(plan.add(experiment, arm, seed));
    }
  }
  for (const bool grows : {false, true}) train(plan.missing(grows), folder, settings);
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    for (const auto& ofSeeds : keys[i]) {
      auto& results = outcomes[i].results.emplace_back();
      for (const std::string& key : ofSeeds) results.push_back(*folder.find(key));
    }
  return outcomes;
}

}  // namespace moe
