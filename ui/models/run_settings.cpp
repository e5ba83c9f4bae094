#include "ui/models/run_settings.h"

#include <algorithm>

#include "core/backend/registry.h"

namespace moe::ui {

namespace {

StageSetting whole(std::string_view path, std::string_view label, double minimum, double maximum, double step,
                   std::string_view unit, std::string_view formula, std::string_view tooltip) {
  return {.path = path,
          .label = label,
          .kind = SettingKind::integer,
          .minimum = minimum,
          .maximum = maximum,
          .step = step,
          .unit = unit,
          .formula = formula,
          .tooltip = tooltip};
}
StageSetting real(std::string_view path, std::string_view label, double minimum, double maximum, double step,
                  std::string_view unit, std::string_view formula, std::string_view tooltip) {
  StageSetting setting = whole(path, label, minimum, maximum, step, unit, formula, tooltip);
  setting.kind = SettingKind::number;
  return setting;
}
StageSetting pick(std::string_view path, std::string_view label, std::string_view tooltip,
                  std::vector<StageOption> options) {
  return {.path = path,
          .label = label,
          .kind = SettingKind::choice,
          .unit = {},
          .tooltip = tooltip,
          .options = std::move(options)};
}
/// The same words as for the experts.
StageSetting asExperts(std::string_view path, std::string_view label, std::string_view tooltip, std::string_view like,
                       std::initializer_list<std::string_view> only) {
  StageSetting setting = pick(path, label, tooltip, {});
  for (const StageOption& option : findSetting(like)->options)
    if (only.size() == 0 || std::find(only.begin(), only.end(), option.id) != only.end())
      setting.options.push_back(option);
  return setting;
}

/// Backends that cannot be had on this machine say why.
StageSetting computeOn() {
  StageSetting setting =
      pick("backend", "Compute on", "What does the mathematics. A run that trains goes on there from the next step.",
           {{"onednn", "CPU", "oneDNN", "This machine's processor, fast."},
            {"cuda", "GPU", "CUDA", "This machine's NVIDIA GPU."},
            {"reference", "Reference", "plain loops", "The definition of every operation, slow."}});
  for (StageOption& option : setting.options) option.unavailable = backendProblem(std::string(option.id));
  return setting;
}

StageInfo model() {
  return {
      .id = "model",
      .label = "Model",
      .tooltip = "The transformer around the experts.",
      .settings =
          {whole("model.width", "Width", 1, 65536, 16, "units", "D",
                 "Numbers that stand for a token between the layers."),
           whole("model.layers", "Layers", 1, 1024, 1, "layers", "L",
                 "Blocks of attention and experts, one after the other."),
           {.path = "model.dense_layers",
            .label = "Dense layers",
            .kind = SettingKind::integerList,
            .minimum = 0,
            .maximum = 1023,
            .step = 1,
            .unit = {},
            .formula = "0, 1, … or all",
            .tooltip = "Layers with one plain network instead of experts, counted from 0."},
           whole("model.heads", "Heads", 1, 1024, 1, "heads", "H", "Attention heads of a layer."),
           whole("model.kv_heads", "Key-value heads", 1, 1024, 1, "heads", "H / H_kv share one",
                 "Heads that keys and values have; fewer than heads: queries share them."),
           whole("model.head_width", "Head width", 1, 4096, 2, "units", "D_h",
                 "Numbers in one head's query, key and value."),
           whole("model.context", "Context", 1, 1000000, 16, "tokens", "S", "The longest text the model sees at once."),
           pick("model.norm", "Norm", "What keeps the size of a token's numbers in range.",
                {{"rms", "RMSNorm", "x / sqrt(mean x² + ε)", "Divides by the root mean square."},
                 {"layer", "LayerNorm", "(x − mean x) / sqrt(var x + ε)", "Subtracts the mean first."}}),
           real("model.norm_epsilon", "Norm ε", 0, 1, 1e-6, "", "mean x² + ε", "Keeps the norm's division finite."),
           pick("model.positions", "Positions", "How the model knows a token's place.",
                {{"rope", "Rotary (RoPE)", "q, k turned by position · θ⁻ⁱ",
                  "Turns queries and keys by an angle that grows with the position."},
                 {"learned", "Learned", "x + p[position]", "Adds a learned vector for every position."}}),
           real("model.rope_theta", "RoPE θ", 1, 1e8, 1000, "", "angle = position · θ^(−2i/D_h)",
                "Base of the rotary angles; larger reaches further."),
           {.path = "model.tied_head",
            .label = "Tied head",
            .kind = SettingKind::boolean,
            .unit = {},
            .formula = "logits = E x",
            .tooltip = "The output head uses the embedding's weights."},
           real("model.init_deviation", "Deviation at start", 1e-6, 1, 0.005, "", "W ~ N(0, σ²)",
                "Standard deviation of the fresh weights."),
           asExperts("model.dense.kind", "Dense network", "The network of a dense layer.", "experts.kind",
                     {"mlp", "glu"}),
           asExperts("model.dense.activation", "Dense activation", "The non-linearity of a dense layer.",
                     "experts.activation", {}),
           {.path = "model.dense.hidden",
            .label = "Dense hidden size",
            .kind = SettingKind::integerList,
            .minimum = 1,
            .maximum = 1000000,
            .step = 16,
            .unit = "units",
            .formula = "F",
            .tooltip = "Hidden units of a dense layer; a list gives one a layer."},
           {.path = "model.dense.bias",
            .label = "Dense biases",
            .kind = SettingKind::boolean,
            .unit = {},
            .formula = "W x + b",
            .tooltip = "Adds biases to a dense layer's linear maps."},
           pick("block.moe_reads", "Experts read", "Where in the block the router and experts take their input.",
                {{"post_attention", "After attention", "h = x + attn(x); y = h + MoE(h)",
                  "The usual place: attention first."},
                 {"pre_attention", "Before attention", "h = x + attn(x); y = h + MoE(x)",
                  "Experts run beside attention, on the same input."}})},
      .parts = {}};
}

StageInfo data() {
  return {.id = "data",
          .label = "Data",
          .tooltip = "The text the model learns from.",
          .settings = {pick("data.tokenizer", "Tokenizer", "How text becomes tokens.",
                            {{"bytes", "Bytes", "V = 256", "Every byte is a token: any text works."},
                             {"characters", "Characters", "V = characters in the text",
                              "Every character of the text is a token."},
                             {"bpe", "Byte pairs (BPE)", "V = 256 + merges",
                              "Frequent pieces become tokens, learned from the text."}}),
                       whole("data.vocabulary", "Vocabulary", 257, 65536, 64, "tokens", "V",
                             "How many tokens byte-pair encoding is trained to."),
                       real("data.held_out", "Held out", 0.001, 0.9, 0.05, "of each file", "last share of each file",
                            "The end of each file, kept for validation and never trained on."),
                       whole("data.corpus_seed", "Corpus seed", 0, 1.8e19, 1, "", "seed",
                             "Which built-in corpus is written.")},
          .parts = {}};
}

StageInfo training() {
  return {
      .id = "train",
      .label = "Training",
      .tooltip = "The optimizer, AdamW, and how long it works.",
      .settings =
          {pick("train.schedule", "Schedule", "How the learning rate moves after warm-up.",
                {{"cosine", "Cosine", "η falls to final share · η", "Falls along half a cosine to the final share."},
                 {"constant", "Constant", "η stays", "Stays where warm-up ended."}}),
           real("train.learning_rate", "Learning rate", 0, 10, 0.0005, "", "η", "How far one step moves the weights."),
           whole("train.warmup", "Warm-up", 0, 1e6, 10, "steps", "η · t / warm-up",
                 "Steps over which the learning rate rises from zero."),
           real("train.final_share", "Final share", 0, 1, 0.05, "of η", "η_end / η",
                "Where the cosine ends, as a share of the learning rate."),
           whole("train.steps", "Steps", 1, 1e9, 100, "steps", "N",
                 "How long the run is; schedules and annealing stretch over it."),
           whole("train.batch", "Batch", 1, 65536, 1, "sequences", "B",
                 "Sequences that go through the model together."),
           whole("train.micro_batches", "Micro-batches", 1, 65536, 1, "a step", "B · micro-batches a step",
                 "Batches whose gradients are added before one step."),
           {.path = "train.recompute",
            .label = "Recompute",
            .kind = SettingKind::boolean,
            .unit = {},
            .formula = "keep h, compute the layer again",
            .tooltip = "Backward computes each layer again instead of keeping it: about half the memory of a deep "
                       "model for a third more arithmetic, same numbers.",
            .changesLive = true},
           pick("train.freeze", "Frozen",
                "Weights that stay as they are: no update, no decay, not in the gradient norm.",
                {{"none", "Nothing", "all weights learn", "Every weight learns."},
                 {"router", "The router", "W_router stays",
                  "Router and selection bias stay; the experts and the rest learn."},
                 {"experts", "The experts", "W_experts stay", "Routed experts stay; the router and the rest learn."},
                 {"all_but_router", "All but the router", "only W_router learns",
                  "Only the router learns, as when one fine-tunes the routing alone."}}),
           real("train.weight_decay", "Weight decay", 0, 10, 0.01, "", "W ← W − η λ W",
                "Pulls every matrix towards zero, apart from the gradient."),
           real("train.clip", "Clip", 0, 1000, 0.1, "", "g · min(1, clip / |g|)",
                "Longest gradient that is used whole; 0 switches clipping off."),
           real("train.beta1", "β₁", 0, 0.9999, 0.01, "", "m ← β₁ m + (1 − β₁) g",
                "How slowly the mean of gradients moves."),
           real("train.beta2", "β₂", 0, 0.99999, 0.01, "", "v ← β₂ v + (1 − β₂) g²",
                "How slowly the mean of squared gradients moves."),
           real("train.epsilon", "Adam ε", 0, 1, 1e-8, "", "m / (sqrt(v) + ε)",
                "Keeps the optimizer's division finite."),
           whole("train.validate_every", "Validate every", 0, 1e9, 50, "steps", "0: at the end",
                 "How often the held-out text is measured."),
           whole("train.checkpoint_every", "Checkpoint every", 0, 1e9, 50, "steps", "0: first and last",
                 "How often the run is saved."),
           whole("seed", "Seed", 0, 1.8e19, 1, "", "seed",
                 "Fixes every random draw: same seed and threads, same numbers."),
           whole("threads", "Threads", 0, 1024, 1, "threads", "0: by the pace",
                 "Cores that train, from the next step on. 0: by the pace chosen above the pages, fluid or fast."),
           pick("dtype", "Number type", "What products are computed in.",
                {{"auto", "automatic", "bf16 where it is faster",
                  "bf16 where the chip multiplies it in hardware and the model is wide enough to gain; chosen when the "
                  "run starts."},
                 {"f32", "f32", "24 bits", "Single precision."},
                 {"bf16", "bf16", "8 bits, sums in f32",
                  "Half the memory traffic where the chip has it; the router stays in f32."},
                 {"f64", "f64", "53 bits", "Double precision, on the reference backend only."}}),
           computeOn()},
      .parts = {}};
}

StageInfo alerts() {
  return {
      .id = "alerts",
      .label = "Alerts",
      .tooltip = "When an expert counts as dead.",
      .settings = {real("alerts.threshold", "Dead below", 0, 1, 0.01, "of fair share",
                        "mean load / fair share < threshold", "An alert rises below this share."),
                   real("alerts.clears", "Clears at", 0, 1, 0.01, "of fair share", "mean load / fair share ≥ clears",
                        "An alert ends at this share; above the threshold, so that it does not flicker."),
                   whole("alerts.window", "Window", 1, 100000, 10, "steps", "mean over the window",
                         "Steps that the load is averaged over."),
                   whole("alerts.restart.retries", "Restarts", 0, 1000, 1, "at most", "0: off",
                         "How often a run whose experts die goes back to its last healthy checkpoint by itself."),
                   real("alerts.restart.dropout_step", "Dropout added", 0, 0.9, 0.05, "a restart",
                        "expert dropout + step", "What each such restart adds to the dropout inside experts.")},
      .parts = {}};
}

}  // namespace

const std::vector<StageInfo>& runSections() {
  static const std::vector<StageInfo> kAll{model(), data(), training(), alerts()};
  return kAll;
}

std::vector<std::string> settingPaths(const RunConfig& config) {
  std::vector<std::string> paths{"data.source"};
  for (const std::vector<StageInfo>* group : {&stages(), &runSections()})
    for (const StageInfo& stage : *group)
      if (stage.id != "balance")
        for (const StageSetting& setting : stage.settings) paths.emplace_back(setting.path);
  if (!config.model.layers.empty())
    for (std::size_t i = 0; i < config.model.layers.front().recipe.balance.size(); ++i)
      for (const StageSetting& setting : findStage("balance")->settings)
        paths.push_back("balance." + std::to_string(i) + '.' + std::string(setting.path));
  return paths;
}

const StageSetting* settingAt(const std::string& path) {
  for (const StageInfo& section : runSections())
    for (const StageSetting& setting : section.settings)
      if (setting.path == path) return &setting;
  return findSetting(path);
}

bool mayBeNone(const std::string& path) {
  return path == "capacity.factor" || path == "capacity.eval_factor" || path == "capacity.slots";
}

const StagePart* partOf(const StageInfo& stage, std::string_view path) {
  for (const StagePart& part : stage.parts)
    if (path.starts_with(part.path) && path.substr(part.path.size()).starts_with('.')) return &part;
  return nullptr;
}

}  // namespace moe::ui
