#include "core/model/model_rows.h"

#include <algorithm>

namespace moe {
namespace {

using nlohmann::json;

constexpr int kMostLayers = 1024;  // a typing error must not allocate gigabytes of layer settings

const LayerConfig& firstLayer(const ModelConfig& model) {
  static const LayerConfig standard;
  return model.layers.empty() ? standard : model.layers.front();
}

/// Of the first layer, and written to all. `path`: where it is not the row's own.
SettingRow<ModelConfig> ofLayers(SettingRow<LayerConfig> row, std::string_view path = {}) {
  if (!path.empty()) row.setting.path = path;
  return {std::move(row.setting),
          [read = row.read](ModelConfig& model, const json& value, const ValuePlace& place) {
            for (LayerConfig& layer : model.layers) read(layer, value, place);
          },
          [write = row.write](const ModelConfig& model) { return write(firstLayer(model)); }};
}

SettingRow<ModelConfig> layers(Setting setting) {
  setting.kind = SettingKind::integer;
  return {std::move(setting),
          [](ModelConfig& model, const json& value, const ValuePlace& place) {
            int count = 0;
            readValue(value, place, count);
            if (count < 1 || count > kMostLayers) refuseValue(place, value, "1 to " + std::to_string(kMostLayers));
            model.layers.resize(static_cast<std::size_t>(count), LayerConfig(firstLayer(model)));
          },
          [](const ModelConfig& model) -> json { return model.layers.size(); }};
}

SettingRow<ModelConfig> denseLayers(Setting setting) {
  setting.kind = SettingKind::integerList;
  return {std::move(setting),
          [](ModelConfig& model, const json& value, const ValuePlace& place) {
            for (LayerConfig& layer : model.layers) layer.hasExperts = value != "all";
            if (value == "all") return;
            if (!value.is_array()) refuseValue(place, value, "\"all\" or a list of layer indices");
            std::vector<int> list;
            readValue(value, place, list);
            for (int layer : list) {
              if (layer < 0 || static_cast<std::size_t>(layer) >= model.layers.size())
                refuseValue(place, value, "layer indices from 0 to " + std::to_string(model.layers.size() - 1));
              model.layers[static_cast<std::size_t>(layer)].hasExperts = false;
            }
          },
          [](const ModelConfig& model) -> json {
            std::vector<int> dense;
            for (std::size_t i = 0; i < model.layers.size(); ++i)
              if (!model.layers[i].hasExperts) dense.push_back(static_cast<int>(i));
            return dense.size() == model.layers.size() ? json("all") : json(dense);
          }};
}

/// One hidden width for all layers, or a list of one a layer (a dense twin's layers may differ).
SettingRow<ModelConfig> denseHidden(Setting setting) {
  setting.kind = SettingKind::integerList;
  return {std::move(setting),
          [](ModelConfig& model, const json& value, const ValuePlace& place) {
            std::vector<int> widths;
            readOneOrMany(value, place, widths);
            if (value.is_array() && widths.size() != model.layers.size())
              refuseValue(place, value, "an integer, or one a layer");
            for (std::size_t i = 0; i < model.layers.size(); ++i)
              model.layers[i].dense.hidden = widths[value.is_array() ? i : 0];
          },
          [](const ModelConfig& model) -> json {
            std::vector<int> widths;
            for (const LayerConfig& layer : model.layers) widths.push_back(layer.dense.hidden);
            const bool same = std::ranges::all_of(widths, [&](int width) { return width == widths.front(); });
            return same ? json(firstLayer(model).dense.hidden) : json(widths);
          }};
}

/// Where nothing is said of them: as many key heads, together as wide as the model.
void followHeads(ModelConfig& model) {
  for (LayerConfig& layer : model.layers) {
    AttentionConfig& attention = layer.attention;
    attention.kvHeads = attention.heads;
    attention.headWidth = attention.heads > 0 ? model.width / attention.heads : 0;
  }
}

SettingRow<ModelConfig> andHeadsFollow(SettingRow<ModelConfig> row) {
  row.read = [read = row.read](ModelConfig& model, const json& value, const ValuePlace& place) {
    read(model, value, place);
    followHeads(model);
  };
  return row;
}

/// Of the experts' words, those that a dense layer can be.
rows::Choices<ExpertKind> denseKinds() {
  rows::Choices<ExpertKind> kinds;
  for (const rows::Choice<ExpertKind>& each : networkChoices())
    if (each.value == ExpertKind::mlp || each.value == ExpertKind::glu) kinds.push_back(each);
  return kinds;
}

}  // namespace

const SettingTable<LayerConfig>& attentionRows() {
  using namespace rows;
  static const SettingTable<LayerConfig> table =
      SettingTable<LayerConfig>{
          "attention",
          "Attention",
          "What a token reads of the earlier ones.",
          {value<&LayerConfig::attention, &AttentionConfig::heads>({.path = "heads",
                                                                    .label = "Heads",
                                                                    .minimum = 1,
                                                                    .maximum = 1024,
                                                                    .step = 1,
                                                                    .unit = "heads",
                                                                    .formula = "H",
                                                                    .tooltip = "Attention heads of a layer."}),
           value<&LayerConfig::attention, &AttentionConfig::kvHeads>(
               {.path = "kv_heads",
                .label = "Key-value heads",
                .minimum = 1,
                .maximum = 1024,
                .step = 1,
                .unit = "heads",
                .formula = "H / H_kv share one",
                .tooltip = "Heads that keys and values have; fewer than heads: queries share them."}),
           value<&LayerConfig::attention, &AttentionConfig::headWidth>(
               {.path = "head_width",
                .label = "Head width",
                .minimum = 1,
                .maximum = 4096,
                .step = 2,
                .unit = "units",
                .formula = "D_h",
                .tooltip = "Numbers in one head's query, key and value."})}}
          .withDefaultsOf();
  return table;
}

const SettingTable<ModelConfig>& modelRows() {
  using namespace rows;
  static const auto make = [] {
    const std::vector<SettingRow<LayerConfig>>& attention = attentionRows().rows;
    SettingTable<ModelConfig> table{
        "model",
        "Model",
        "The transformer around the experts.",
        {andHeadsFollow(value<&ModelConfig::width>({.path = "model.width",
                                                    .label = "Width",
                                                    .minimum = 1,
                                                    .maximum = 65536,
                                                    .step = 16,
                                                    .unit = "units",
                                                    .formula = "D",
                                                    .tooltip = "Numbers that stand for a token between the layers."})),
         layers({.path = "model.layers",
                 .label = "Layers",
                 .minimum = 1,
                 .maximum = kMostLayers,
                 .step = 1,
                 .unit = "layers",
                 .formula = "L",
                 .tooltip = "Blocks of attention and experts, one after the other."}),
         denseLayers({.path = "model.dense_layers",
                      .label = "Dense layers",
                      .maximum = kMostLayers - 1,
                      .step = 1,
                      .formula = "0, 1, … or all",
                      .tooltip = "Layers with one plain network instead of experts, counted from 0."}),
         andHeadsFollow(ofLayers(attention[0], "model.heads")), ofLayers(attention[1], "model.kv_heads"),
         ofLayers(attention[2], "model.head_width"),
         value<&ModelConfig::context>({.path = "model.context",
                                       .label = "Context",
                                       .minimum = 1,
                                       .maximum = 65536,
                                       .step = 16,
                                       .unit = "tokens",
                                       .formula = "S",
                                       .tooltip = "The longest text the model sees at once."}),
         choice<&ModelConfig::norm>(
             {.path = "model.norm", .label = "Norm", .tooltip = "What keeps the size of a token's numbers in range."},
             Choices<NormKind>{
                 {NormKind::rms, {"rms", "RMSNorm", "x / sqrt(mean x² + ε)", "Divides by the root mean square."}},
                 {NormKind::layer,
                  {"layer", "LayerNorm", "(x − mean x) / sqrt(var x + ε)", "Subtracts the mean first."}}}),
         value<&ModelConfig::normEpsilon>({.path = "model.norm_epsilon",
                                           .label = "Norm ε",
                                           .minimum = 1e-30,
                                           .maximum = 0.999,
                                           .step = 1e-6,
                                           .formula = "mean x² + ε",
                                           .tooltip = "Keeps the norm's division finite."}),
         choice<&ModelConfig::positions>(
             {.path = "model.positions", .label = "Positions", .tooltip = "How the model knows a token's place."},
             Choices<Positions>{
                 {Positions::rope,
                  {"rope", "Rotary (RoPE)", "q, k turned by position · θ⁻ⁱ",
                   "Turns queries and keys by an angle that grows with the position."}},
                 {Positions::learned,
                  {"learned", "Learned", "x + p[position]", "Adds a learned vector for every position."}}}),
         value<&ModelConfig::ropeTheta>({.path = "model.rope_theta",
                                         .label = "RoPE θ",
                                         .minimum = 1.001,
                                         .maximum = 1e12,
                                         .step = 1000,
                                         .formula = "angle = position · θ^(−2i/D_h)",
                                         .tooltip = "Base of the rotary angles; larger reaches further."})
             .when([](const ModelConfig& model) { return model.positions == Positions::rope; }),
         value<&ModelConfig::tiedHead>({.path = "model.tied_head",
                                        .label = "Tied head",
                                        .formula = "logits = E x",
                                        .tooltip = "The output head uses the embedding's weights."}),
         value<&ModelConfig::initDeviation>({.path = "model.init_deviation",
                                             .label = "Deviation at start",
                                             .minimum = 1e-9,
                                             .maximum = 1,
                                             .step = 0.005,
                                             .formula = "W ~ N(0, σ²)",
                                             .tooltip = "Standard deviation of the fresh weights."}),
         ofLayers(choice<&LayerConfig::dense, &DenseConfig::kind>(
             {.path = "model.dense.kind", .label = "Dense network", .tooltip = "The network of a dense layer."},
             denseKinds())),
         ofLayers(
             choice<&LayerConfig::dense, &DenseConfig::activation>({.path = "model.dense.activation",
                                                                    .label = "Dense activation",
                                                                    .tooltip = "The non-linearity of a dense layer."},
                                                                   activationChoices())),
         denseHidden({.path = "model.dense.hidden",
                      .label = "Dense hidden size",
                      .minimum = 1,
                      .maximum = 1e6,
                      .step = 16,
                      .unit = "units",
                      .formula = "F",
                      .tooltip = "Hidden units of a dense layer; a list gives one a layer."}),
         ofLayers(value<&LayerConfig::dense, &DenseConfig::bias>(
             {.path = "model.dense.bias",
              .label = "Dense biases",
              .formula = "W x + b",
              .tooltip = "Adds biases to a dense layer's linear maps."})),
         // The tokenizer says it; a file keeps what it said.
         value<&ModelConfig::vocabulary>({.path = "model.vocabulary", .minimum = 2, .maximum = 1e6})}};
    ModelConfig standard;
    standard.layers.resize(kUsualLayers);
    return std::move(table).withDefaultsOf(standard);
  };
  static const SettingTable<ModelConfig> table = make();
  return table;
}

}  // namespace moe
