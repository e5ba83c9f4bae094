#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/data/data_config.h"
#include "core/model/config.h"
#include "core/telemetry/alert_config.h"

namespace moe {

struct TextSize;

/// One routed expert; "2:5" in files: layer, expert.
struct ExpertPlace {
  int layer = 0, expert = 0;
  auto operator<=>(const ExpertPlace&) const = default;
};

struct TrainConfig {
  std::int64_t steps = 1000;  // target; also the length of schedules and annealing
  int batch = 16;             // sequences a micro-batch
  int microBatches = 1;       // gradient accumulation
  double learningRate = 2e-3;
  enum class Schedule { constant, cosine } schedule = Schedule::cosine;
  int warmup = 50;                                                      // steps, linear
  double finalShare = 0.1;                                              // of the learning rate, where cosine ends
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, weightDecay = 0.1;  // decay on matrices only
  double clip = 1.0;                                                    // gradient norm; 0: off
  bool recompute = false;     // backward computes each layer again instead of keeping it: less memory
  int validateEvery = 100;    // steps; also at the end
  int checkpointEvery = 100;  // steps; 0: only the first and the last
  /// What stays as it is: the router with its bias, the routed experts, or all weights but the router's.
  enum class Freeze { none, router, experts, allButRouter } freeze = Freeze::none;
  std::vector<ExpertPlace> frozenExperts;  // single ones besides, ascending; their rows of the router learn
  bool routerLearns() const { return freeze != Freeze::router; }
  bool operator==(const TrainConfig&) const = default;
};

/// Where the first weights come from, besides the seed.
struct StartConfig {
  std::string checkpoint;  // of a dense model whose networks become experts (experts.init); empty: none
  bool operator==(const StartConfig&) const = default;
};

/// Everything that makes a run what it is; with the seed and thread count it determines every number.
struct RunConfig {
  std::string preset;  // file name of the preset it began from, or empty
  std::string label;   // what people call it
  ModelConfig model;
  TrainConfig train;
  DataConfig data;
  AlertConfig alerts;
  StartConfig startFrom;
  std::uint64_t seed = 0;
  int threads = 0;  // 0: all cores
  std::string backend = "onednn";
  /// What matrix products are computed in. Nothing ("auto"): chosen when the run starts (chosenComputeType), and
  /// recorded with it as chosen.
  std::optional<DType> computeType = DType::f32;
  bool operator==(const RunConfig&) const = default;
};

/// Tokens of one training pass, a micro-batch.
inline std::int64_t tokensOfPass(const RunConfig& config) {
  return std::int64_t{1} * config.train.batch * config.model.context;
}

inline ModelSize sizeOf(const RunConfig& config) { return sizeOf(config.model, tokensOfPass(config)); }
inline ModelConfig denseTwin(const RunConfig& config) { return denseTwin(config.model, tokensOfPass(config)); }

std::string textOf(const ExpertPlace& place);
/// The value of train.frozen_experts that holds `place` still, or lets it learn again, beside the others: JSON text.
std::string withExpertFrozen(const TrainConfig& train, ExpertPlace place, bool frozen);

// A run configuration as JSON has the keys "preset", "label", "recipe" (one for all expert layers; recipe vocabulary),
// "layer_recipes" (where experts were added to a layer or taken from it: what differs there, by layer),
// "model", "train", "data", "alerts", "start_from", "seed", "threads", "backend", "dtype". "model" holds width, context, heads,
// kv_heads, head_width, layers (a count), dense_layers (indices), dense {kind, activation, hidden, bias}, norm, ...
// Dotted paths: model.*, train.*, data.*, alerts.*, start_from.*, seed, threads, backend, dtype go there; any other first word is a
// stage of the recipe: "balance.0.coefficient", "select.k", "capacity.factor".

/// Throws Error("config") naming the path of an unknown key, value or wrong type.
RunConfig runConfigFromJson(const nlohmann::json& json);
nlohmann::json toJson(const RunConfig& config);

/// One setting by dotted path; `value` as JSON text ("0.01", "\"sigmoid\"", bare words are strings). Throws as above.
void setByPath(RunConfig& config, const std::string& path, const std::string& value);
/// The setting's present value as JSON text. Throws as above.
std::string getByPath(const RunConfig& config, const std::string& path);

/// Whether the setting at `path` may change while the run trains (else it needs a new model).
bool changesLive(const std::string& path);

/// `wanted` grown out of a dense run: its recipe and training, with the dense run's text, tokenizer and model, whose
/// networks give the experts their kind and hidden units (an E-th of them for dense_slice). experts.init stays, or is
/// dense_copy where it was random; layers stay dense where `wanted` has them so and both models have as many layers.
RunConfig grownFromDense(RunConfig wanted, const RunConfig& dense, const std::string& checkpoint);

/// All problems of a run; empty: it may start.
std::vector<Problem> problems(const RunConfig& config);

/// What the program holds besides a run, bytes: code and libraries in memory, threads' stacks. Measured.
inline constexpr std::int64_t kProgramMemory = 16 << 20;
/// Peak memory of a run of this, in bytes, from the sizes alone: while its text is loaded, or while it trains and one
/// checkpoint is being written.
std::int64_t predictedMemory(const RunConfig& config, const TextSize& text);

/// The presets of resources/presets, compiled into the program: id (the file's name), label, source, description, and JSON.
struct Preset {
  std::string id, label, source, about, scaled;
  std::string json;    // the file's text
  bool first = false;  // what a new window, or a bare `train`, begins with
};
const std::vector<Preset>& presets();
/// Throws Error("preset") listing the known ones.
RunConfig runConfigOfPreset(const std::string& id);
const Preset& firstPreset();

}  // namespace moe
