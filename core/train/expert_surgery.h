#pragma once
#include <cstdint>
#include <string>

#include "core/telemetry/load_window.h"
#include "core/train/run_config.h"
#include "core/train/training_state.h"

namespace moe {

/// Another number of routed experts, in one layer or in all that have them. The rest of the model stays bit for bit.
struct ExpertSurgery {
  static constexpr int kAllLayers = -1;
  enum class Kind { add, remove } kind = Kind::add;
  int layer = kAllLayers;
  int expert = 0;                                           // remove: which one; those behind it move up
  int count = 1;                                            // add: how many, behind the present ones
  enum class From { busiest, fresh } from = From::busiest;  // add: a copy of the layer's busiest, its router's row too
  double noise = 0.02;        // of a copy: standard deviation of what is added, as a share of the weights' own
  bool coldStart = true;      // add: tokens are sent to the new ones for a while (select.force), with top_k
  double fraction = 0.2;      // of the tokens
  std::int64_t steps = 1000;  // from here on
};

/// Carries it out on a run's configuration and state together; `watch` says which experts are busy, and forgets its
/// loads, which count other experts. Moments, selection bias, forced and frozen experts follow; a fresh expert begins
/// with none, and with the mean of the biases. Hash tables are drawn anew for the new number. Returns a sentence that
/// says what was done. Throws Error("experts") where it does not fit; everything is then as it was.
std::string operate(RunConfig& config, TrainingState& state, WatchState& watch, const ExpertSurgery& surgery);

}  // namespace moe
