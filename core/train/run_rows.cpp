#include "core/train/run_rows.h"

#include <algorithm>
#include <cstdio>

#include "core/backend/registry.h"
#include "core/data/data_rows.h"
#include "core/model/model_rows.h"
#include "core/router/recipe_rows.h"
#include "core/router/stages.h"
#include "core/telemetry/alert_rows.h"

namespace moe {
namespace {

using nlohmann::json;

json placesJson(const std::vector<ExpertPlace>& places) {
  json list = json::array();
  for (const ExpertPlace& place : places) list.push_back(textOf(place));
  return list;
}

/// "2:5": layer and expert.
SettingRow<RunConfig> frozenExperts() {
  return {{.path = "train.frozen_experts", .kind = SettingKind::text, .changesLive = true},
          [](RunConfig& config, const json& value, const ValuePlace& at) {
            const std::string expected = "a list of layer:expert, such as [\"2:5\"]";
            if (!value.is_array()) refuseValue(at, value, expected);
            std::vector<ExpertPlace> places;
            for (const json& each : value) {
              ExpertPlace place;
              int read = 0;
              if (!each.is_string() ||
                  std::sscanf(each.get_ref<const std::string&>().c_str(), "%9d:%9d%n", &place.layer, &place.expert,
                              &read) != 2 ||
                  static_cast<std::size_t>(read) != each.get_ref<const std::string&>().size())
                refuseValue(at, value, expected);
              places.push_back(place);
            }
            std::ranges::sort(places);
            places.erase(std::unique(places.begin(), places.end()), places.end());
            config.train.frozenExperts = std::move(places);
          },
          [](const RunConfig& config) { return placesJson(config.train.frozenExperts); }};
}

/// Any name is read: which backends there are, and why not, is said when the run is looked over (problems).
SettingRow<RunConfig> computeOn() {
  SettingRow<RunConfig> row = rows::value<&RunConfig::backend>(
      {.path = "backend",
       .label = "Compute on",
       .tooltip = "What does the mathematics. A run that trains goes on there from the next step.",
       .changesLive = true});
  row.setting.kind = SettingKind::choice;
  row.setting.words = backendWords();
  return row;
}

SettingTable<RunConfig> runTable() {
  using namespace rows;
  return SettingTable<RunConfig>{
      "run",
      "Run",
      "What the run is called and what it began from.",
      {value<&RunConfig::preset>({.path = "preset"}), bytes<&RunConfig::label>({.path = "label", .changesLive = true}),
       bytes<&RunConfig::startFrom, &StartConfig::checkpoint>({.path = "start_from.checkpoint"})}}
      .withDefaultsOf();
}

SettingTable<RunConfig> trainTable() {
  using namespace rows;
  using Train = TrainConfig;
  return SettingTable<RunConfig>{
      "train",
      "Training",
      "The optimizer, AdamW, and how long it works.",
      {choice<&RunConfig::train, &Train::schedule>(
           {.path = "train.schedule",
            .label = "Schedule",
            .tooltip = "How the learning rate moves after warm-up.",
            .changesLive = true},
           Choices<Train::Schedule>{
               {Train::Schedule::cosine,
                {"cosine", "Cosine", "η falls to final share · η", "Falls along half a cosine to the final share."}},
               {Train::Schedule::constant, {"constant", "Constant", "η stays", "Stays where warm-up ended."}}}),
       value<&RunConfig::train, &Train::learningRate>({.path = "train.learning_rate",
                                                       .label = "Learning rate",
                                                       .maximum = 10,
                                                       .step = 0.0005,
                                                       .formula = "η",
                                                       .tooltip = "How far one step moves the weights.",
                                                       .changesLive = true}),
       value<&RunConfig::train, &Train::warmup>({.path = "train.warmup",
                                                 .label = "Warm-up",
                                                 .maximum = 1e9,
                                                 .step = 10,
                                                 .unit = "steps",
                                                 .formula = "η · t / warm-up",
                                                 .tooltip = "Steps over which the learning rate rises from zero."}),
       value<&RunConfig::train, &Train::finalShare>(
           {.path = "train.final_share",
            .label = "Final share",
            .step = 0.05,
            .unit = "of η",
            .formula = "η_end / η",
            .tooltip = "Where the cosine ends, as a share of the learning rate."})
           .when([](const RunConfig& config) { return config.train.schedule == Train::Schedule::cosine; }),
       value<&RunConfig::train, &Train::steps>(
           {.path = "train.steps",
            .label = "Steps",
            .minimum = 1,
            .maximum = 1e9,
            .step = 100,
            .unit = "steps",
            .formula = "N",
            .tooltip = "How long the run is; schedules and annealing stretch over it.",
            .changesLive = true}),
       value<&RunConfig::train, &Train::batch>({.path = "train.batch",
                                                .label = "Batch",
                                                .minimum = 1,
                                                .maximum = 65536,
                                                .step = 1,
                                                .unit = "sequences",
                                                .formula = "B",
                                                .tooltip = "Sequences that go through the model together."}),
       value<&RunConfig::train, &Train::microBatches>(
           {.path = "train.micro_batches",
            .label = "Micro-batches",
            .minimum = 1,
            .maximum = 65536,
            .step = 1,
            .unit = "a step",
            .formula = "B · micro-batches a step",
            .tooltip = "Batches whose gradients are added before one step."}),
       value<&RunConfig::train, &Train::recompute>(
           {.path = "train.recompute",
            .label = "Recompute",
            .formula = "keep h, compute the layer again",
            .tooltip =
                "Backward computes each layer again instead of keeping it: about half the memory of a deep model "
                "for a third more arithmetic, same numbers.",
            .changesLive = true}),
       choice<&RunConfig::train, &Train::freeze>(
           {.path = "train.freeze",
            .label = "Frozen",
            .tooltip = "Weights that stay as they are: no update, no decay, not in the gradient norm.",
            .changesLive = true},
           Choices<Train::Freeze>{
               {Train::Freeze::none, {"none", "Nothing", "all weights learn", "Every weight learns."}},
               {Train::Freeze::router,
                {"router", "The router", "W_router stays",
                 "Router and selection bias stay; the experts and the rest learn."}},
               {Train::Freeze::experts,
                {"experts", "The experts", "W_experts stay", "Routed experts stay; the router and the rest learn."}},
               {Train::Freeze::allButRouter,
                {"all_but_router", "All but the router", "only W_router learns",
                 "Only the router learns, as when one fine-tunes the routing alone."}}}),
       frozenExperts(),
       value<&RunConfig::train, &Train::weightDecay>(
           {.path = "train.weight_decay",
            .label = "Weight decay",
            .maximum = 10,
            .step = 0.01,
            .formula = "W ← W − η λ W",
            .tooltip = "Pulls every matrix towards zero, apart from the gradient.",
            .changesLive = true}),
       value<&RunConfig::train, &Train::clip>(
           {.path = "train.clip",
            .label = "Clip",
            .maximum = 1e9,
            .step = 0.1,
            .formula = "g · min(1, clip / |g|)",
            .tooltip = "Longest gradient that is used whole; 0 switches clipping off.",
            .changesLive = true}),
       value<&RunConfig::train, &Train::beta1>({.path = "train.beta1",
                                                .label = "β₁",
                                                .maximum = 0.999999,
                                                .step = 0.01,
                                                .formula = "m ← β₁ m + (1 − β₁) g",
                                                .tooltip = "How slowly the mean of gradients moves."}),
       value<&RunConfig::train, &Train::beta2>({.path = "train.beta2",
                                                .label = "β₂",
                                                .maximum = 0.999999,
                                                .step = 0.01,
                                                .formula = "v ← β₂ v + (1 − β₂) g²",
                                                .tooltip = "How slowly the mean of squared gradients moves."}),
       value<&RunConfig::train, &Train::epsilon>({.path = "train.epsilon",
                                                  .label = "Adam ε",
                                                  .minimum = 1e-30,
                                                  .maximum = 1,
                                                  .step = 1e-8,
                                                  .formula = "m / (sqrt(v) + ε)",
                                                  .tooltip = "Keeps the optimizer's division finite."}),
       value<&RunConfig::train, &Train::validateEvery>({.path = "train.validate_every",
                                                        .label = "Validate every",
                                                        .maximum = 1e9,
                                                        .step = 50,
                                                        .unit = "steps",
                                                        .formula = "0: at the end",
                                                        .tooltip = "How often the held-out text is measured.",
                                                        .changesLive = true}),
       value<&RunConfig::train, &Train::checkpointEvery>({.path = "train.checkpoint_every",
                                                          .label = "Checkpoint every",
                                                          .maximum = 1e9,
                                                          .step = 50,
                                                          .unit = "steps",
                                                          .formula = "0: first and last",
                                                          .tooltip = "How often the run is saved.",
                                                          .changesLive = true}),
       value<&RunConfig::seed>({.path = "seed",
                                .label = "Seed",
                                .maximum = kMostSeed,
                                .step = 1,
                                .formula = "seed",
                                .tooltip = "Fixes every random draw: same seed and threads, same numbers."}),
       value<&RunConfig::threads>({.path = "threads",
                                   .label = "Threads",
                                   .maximum = 1024,
                                   .step = 1,
                                   .unit = "threads",
                                   .formula = "0: by the pace",
                                   .tooltip =
                                       "Cores that train, from the next step on. 0: by the pace chosen above the "
                                       "pages, fluid or fast.",
                                   .changesLive = true}),
       choice<&RunConfig::computeType>(
           {.path = "dtype", .label = "Number type", .tooltip = "What products are computed in."},
           Choices<std::optional<DType>>{
               {std::nullopt,
                {"auto", "automatic", "bf16 where it is faster",
                 "bf16 where the chip multiplies it in hardware and the model is wide enough to gain; chosen when the "
                 "run starts."}},
               {DType::f32, {"f32", "f32", "24 bits", "Single precision."}},
               {DType::bf16,
                {"bf16", "bf16", "8 bits, sums in f32",
                 "Half the memory traffic where the chip has it; the router stays in f32."}},
               {DType::f64, {"f64", "f64", "53 bits", "Double precision, on the reference backend only."}}}),
       computeOn()}}
      .withDefaultsOf();
}

/// Of a layer's own recipe, the first one's.
const Recipe& recipeOf(const RunConfig& config) {
  static const Recipe none;
  return config.model.layers.empty() ? none : config.model.layers.front().recipe;
}

/// "balance.2.coefficient" as 2 and "coefficient"; nothing where a path names no entry of that list.
std::optional<std::pair<std::size_t, std::string_view>> entryIn(std::string_view path, std::string_view list) {
  if (!path.starts_with(list) || !path.substr(list.size()).starts_with('.')) return std::nullopt;
  path.remove_prefix(list.size() + 1);
  const std::size_t dot = path.find('.');
  if (dot == 0 || dot == path.npos || dot > 9) return std::nullopt;
  std::size_t index = 0;
  for (const char digit : path.substr(0, dot)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    index = index * 10 + static_cast<std::size_t>(digit - '0');
  }
  return std::pair{index, path.substr(dot + 1)};
}

}  // namespace

const SettingRows<RunConfig>& runRows() {
  static const SettingRows<RunConfig> all({runTable(), rows::within<&RunConfig::data>(dataRows()),
                                           rows::within<&RunConfig::model>(modelRows()), trainTable(),
                                           rows::within<&RunConfig::alerts>(alertRows())});
  return all;
}

const std::vector<SettingSection>& runSections() {
  static const std::vector<SettingSection> all = [] {
    SettingSection model = modelRows().section(), training = trainTable().section();
    for (Setting& setting : blockRows().section().settings) model.settings.push_back(std::move(setting));
    for (Setting& setting : training.settings)
      if (setting.path == "backend")
        for (SettingWord& word : setting.words) word.unavailable = backendProblem(std::string(word.id));
    return std::vector{std::move(model), dataRows().section(), std::move(training), alertRows().section()};
  }();
  return all;
}

std::vector<NamedSetting> settingsAt(std::string_view path) {
  std::vector<NamedSetting> found;
  const auto add = [&](std::string named, const Setting& setting) {
    const bool below = named.starts_with(path) && (named.size() == path.size() || named[path.size()] == '.');
    if (path.empty() || below) found.push_back({std::move(named), &setting});
  };
  for (const SettingTable<Recipe>& table : recipeRows().tables())
    for (const SettingRow<Recipe>& row : table.rows) add(std::string(row.setting.path), row.setting);
  for (const SettingList<Recipe>& list : recipeRows().lists())
    for (const auto& [key, value] : list.standard.items())
      add(std::string(list.path) + ".N." + key, *list.setting(key));
  for (const SettingTable<RunConfig>& table : runRows().tables())
    for (const SettingRow<RunConfig>& row : table.rows) add(std::string(row.setting.path), row.setting);
  if (found.empty())
    if (const Setting* setting = findSetting(path)) found.push_back({std::string(path), setting});
  return found;
}

const Setting* findSetting(std::string_view path) {
  if (const SettingRow<RunConfig>* row = runRows().find(path)) return &row->setting;
  if (const SettingRow<Recipe>* row = recipeRows().find(path)) return &row->setting;
  for (const SettingList<Recipe>& list : recipeRows().lists())
    if (const auto entry = entryIn(path, list.path)) return list.setting(entry->second);
  return nullptr;
}

bool matters(const RunConfig& config, std::string_view path) {
  if (const SettingRow<RunConfig>* row = runRows().find(path)) return row->relevantIn(config);
  const Recipe& recipe = recipeOf(config);
  if (const SettingRow<Recipe>* row = recipeRows().find(path)) return row->relevantIn(recipe);
  for (const SettingList<Recipe>& list : recipeRows().lists())
    if (const auto entry = entryIn(path, list.path)) return list.relevant(recipe, entry->first, entry->second);
  return true;
}

std::string withExpertFrozen(const TrainConfig& train, ExpertPlace place, bool frozen) {
  std::vector<ExpertPlace> places = train.frozenExperts;
  std::erase(places, place);
  if (frozen) places.insert(std::ranges::upper_bound(places, place), place);
  return placesJson(places).dump();
}

}  // namespace moe
