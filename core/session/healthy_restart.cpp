#include "core/session/healthy_restart.h"

#include <algorithm>
#include <functional>

#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/session/sentence.h"

namespace moe {
namespace {

constexpr double kMostDropout = 0.9;

const Recipe* firstRecipe(const RunConfig& config) {
  const auto found = std::ranges::find_if(config.model.layers, &LayerConfig::hasExperts);
  return found == config.model.layers.end() ? nullptr : &found->recipe;
}

/// The newest that can be read of a run's healthy checkpoints.
Checkpoint newestHealthy(RunId run, std::vector<CheckpointRow> rows) {
  std::erase_if(rows, [](const CheckpointRow& row) { return !row.healthy; });
  std::ranges::sort(rows, std::greater(), &CheckpointRow::step);
  if (rows.empty()) throw Error("session", "this run has no healthy checkpoint to go back to; restart it");
  for (const CheckpointRow& row : rows) {
    try {
      Checkpoint checkpoint = openToResume(row.path);
      checkpoint.run = run;
      return checkpoint;
    } catch (const Error&) {
      if (&row == &rows.back()) throw;
    }
  }
  return {};
}

/// Raises the dropout of every layer's experts, from the present run's where a knob has moved it since. The old loads are
/// forgotten: what the experts did with less dropout would damn them before it can help.
void addDropout(Fork& fork, const RunConfig& present, double more) {
  const Recipe *then = firstRecipe(fork.checkpoint.config), *now = firstRecipe(present);
  if (more == 0 || !then || !now) return;
  fork.event.oldValue = numberText(then->combine.expertDropout);
  const double before = std::max(then->combine.expertDropout, now->combine.expertDropout);
  const double after = std::max(before, std::min(kMostDropout, before + more));
  for (LayerConfig& layer : fork.checkpoint.config.model.layers) layer.recipe.combine.expertDropout = after;
  fork.event.path = "combine.expert_dropout";
  fork.event.newValue = numberText(after);
  fork.event.text += ", expert dropout " + fork.event.oldValue + " to " + fork.event.newValue;
  fork.checkpoint.watch.loads.clear();
}

}  // namespace

Fork healthyFork(const RunInTraining& run, Recorder& recorder, double moreDropout) {
  if (!(moreDropout >= 0 && moreDropout < 1))
    throw Error("session",
                "expected to add a dropout rate of at least 0 and below 1, found " + numberText(moreDropout));
  const RunId id = run.id();
  const auto rows = recorder.ask([id](RunStore& store) { return store.checkpoints(id); });
  Fork fork;
  fork.checkpoint = newestHealthy(id, rows);
  fork.checkpoint.config.train.steps = run.config().train.steps;  // a wish for the future: going back does not undo it
  fork.event.kind = RunEvent::Kind::forked;
  fork.event.text = "Forked from run " + std::to_string(id) + " at step " + std::to_string(fork.checkpoint.state.step) +
                    ", its last healthy checkpoint";
  addDropout(fork, run.config(), moreDropout);
  fork.event.text += ".";
  return fork;
}

std::optional<Fork> automaticRestart(const RunInTraining& run, Recorder& recorder, std::string& sentence) {
  const AlertConfig& policy = run.config().alerts;
  if (policy.restarts == 0) return std::nullopt;
  if (run.restarts() >= policy.restarts) {
    sentence = "Experts are dying again after " + std::to_string(run.restarts()) +
               (run.restarts() == 1 ? " restart" : " restarts") +
               ", the limit (alerts.restart.retries): no more are tried.";
    return std::nullopt;
  }
  try {
    Fork fork = healthyFork(run, recorder, policy.dropoutStep);
    fork.checkpoint.config.alerts = policy;
    fork.checkpoint.watch.restarts = run.restarts() + 1;
    fork.event.text +=
        " Automatic restart " + std::to_string(run.restarts() + 1) + " of " + std::to_string(policy.restarts) + ".";
    return fork;
  } catch (const std::exception& problem) {
    sentence = "Experts are dying, and the run cannot be restarted: " + sentenceOf(problem);
    return std::nullopt;
  }
}

bool collapsed(const std::vector<RunEvent>& events) {
  return std::ranges::any_of(events, [](const RunEvent& event) { return event.kind == RunEvent::Kind::alertRaised; });
}

}  // namespace moe
