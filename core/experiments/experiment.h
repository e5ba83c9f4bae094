#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/train/run_config.h"

namespace moe {

constexpr const char* kExperimentTag = "experiment";  // of errors

/// One of the models that an experiment compares: a preset with settings of its own.
struct Arm {
  std::string name, preset;
  std::optional<std::int64_t> steps;                     // else the experiment's
  std::vector<std::pair<std::string, std::string>> set;  // path, JSON text; the experiment's, then its own
  bool denseTwin = false;                                // the dense model of equal active parameters instead
  std::string grownFrom;                                 // a dense arm whose networks become experts; empty: none
};

/// What a band bounds: a measure of an arm, or how it stands to another.
struct Quantity {
  std::string arm, measure;
};

/// A claim in numbers, written down before the measuring.
struct Band {
  std::string says;
  Quantity of;
  enum class Against { nothing, minus, over } against = Against::nothing;
  Quantity other;  // where `against` says so; of the same seed
  enum class Reading { eachSeed, mean } reading = Reading::eachSeed;
  std::optional<double> atLeast, atMost;
  std::string withinSeedsOf;  // the mean is at most as far from 0 as this arm's seeds are apart; empty: by the bounds
};

/// A published claim, how it is tried at this size, and what is expected.
struct Experiment {
  std::string id, title, question, claim, source, here;  // here: what differs from the published setting
  std::string text;                                      // file of a text that is not shipped; empty: none is needed
  std::vector<std::uint64_t> seeds;
  std::int64_t steps = 0;
  std::vector<Arm> arms;
  std::vector<std::string> measures;  // columns of its table
  std::vector<Band> bands;
};

/// Reads one strictly, every arm's settings included. Throws Error("experiment") naming the file and the path.
Experiment experimentFromJson(const nlohmann::json& json, const std::string& id);

/// Those of resources/experiments, compiled into the program, in the order they name.
std::vector<Experiment> shippedExperiments();

/// What an arm trains. `dense` is the configuration of the arm it grows from and that arm's checkpoint.
struct DenseStart {
  RunConfig config;
  std::string checkpoint;
};
RunConfig configOf(const Experiment& experiment, const Arm& arm, std::uint64_t seed, const DenseStart* dense);
/// The same, with the dense arm's configuration looked up.
RunConfig configOf(const Experiment& experiment, const Arm& arm, std::uint64_t seed);

const Arm& armOf(const Experiment& experiment, const std::string& name);

}  // namespace moe
