#include "core/router/experts.h"

#include "core/config/table.h"
#include "core/router/recipe.h"

namespace moe {

const rows::Choices<ExpertKind>& networkChoices() {
  static const rows::Choices<ExpertKind> all{
      {ExpertKind::mlp, {"mlp", "MLP", "W₂ a(W₁ x)", "Two linear maps with an activation between."}},
      {ExpertKind::glu,
       {"glu", "Gated (GLU)", "W₂ (a(W_g x) · W₁ x)",
        "A gate decides what passes: SwiGLU with silu, GEGLU with gelu."}},
      {ExpertKind::clampedGlu,
       {"clamped_glu", "Clamped GLU", "W₂ ((u + 1) g σ(α g))",
        "A gated unit whose two halves are clamped before use."}},
      {ExpertKind::linear, {"linear", "Linear", "W x + b", "One linear map."}}};
  return all;
}

const rows::Choices<Activation>& activationChoices() {
  static const rows::Choices<Activation> all{
      {Activation::relu, {"relu", "ReLU", "max(0, v)", "Cuts off what is negative."}},
      {Activation::gelu, {"gelu", "GELU", "v Φ(v)", "A smooth ReLU, exact."}},
      {Activation::geluTanh, {"gelu_tanh", "GELU (tanh)", "v (1 + tanh(…)) / 2", "GELU by its tanh approximation."}},
      {Activation::silu, {"silu", "SiLU", "v σ(v)", "A smooth ReLU by the sigmoid, also called swish."}}};
  return all;
}

namespace {

/// A list of one is read and written as its number too; none at all says nothing.
SettingRow<Recipe> hiddenSizes(SettingRow<Recipe> row) {
  row.read = [](Recipe& recipe, const nlohmann::json& json, const ValuePlace& place) {
    readOneOrMany(json, place, recipe.experts.hidden);
  };
  row.write = [](const Recipe& recipe) -> nlohmann::json {
    const std::vector<int>& sizes = recipe.experts.hidden;
    return sizes.empty() ? nlohmann::json() : sizes.size() == 1 ? nlohmann::json(sizes[0]) : nlohmann::json(sizes);
  };
  return row;
}

}  // namespace

const SettingTable<Recipe>& expertsRows() {
  using namespace rows;
  static const SettingTable<Recipe> table = SettingTable<Recipe>{
      "experts",
      "Experts",
      "The networks that tokens are switched onto.",
      {choice<&Recipe::experts, &Recipe::Experts::kind>(
           {.path = "experts.kind", .label = "Network", .tooltip = "What an expert is."}, networkChoices())
           .alwaysWritten(),
       value<&Recipe::experts, &Recipe::Experts::count>({.path = "experts.count",
                                                         .label = "Experts",
                                                         .minimum = 1,
                                                         .maximum = 65536,
                                                         .step = 1,
                                                         .unit = "experts",
                                                         .formula = "E",
                                                         .tooltip = "How many experts the layer has."})
           .requires_("the number of experts"),
       hiddenSizes(value<&Recipe::experts, &Recipe::Experts::hidden>(
           {.path = "experts.hidden",
            .label = "Hidden size",
            .minimum = 1,
            .maximum = 1e6,
            .step = 1,
            .unit = "units",
            .formula = "F",
            .tooltip = "Hidden units of an expert; a list gives experts of different sizes."})),
       choice<&Recipe::experts, &Recipe::Experts::activation>(
           {.path = "experts.activation", .label = "Activation", .tooltip = "The non-linearity inside mlp and glu."},
           activationChoices())
           .when([](const Recipe& recipe) {
             return recipe.experts.kind == ExpertKind::mlp || recipe.experts.kind == ExpertKind::glu;
           }),
       value<&Recipe::experts, &Recipe::Experts::bias>({.path = "experts.bias",
                                                        .label = "Biases",
                                                        .formula = "W x + b",
                                                        .tooltip = "Adds biases to every linear map of an expert."}),
       value<&Recipe::experts, &Recipe::Experts::outputWidth>(
           {.path = "experts.output_width",
            .label = "Output width",
            .maximum = 1e6,
            .step = 1,
            .formula = "O",
            .tooltip = "Width of an expert's output; 0 is the model's width."}),
       value<&Recipe::experts, &Recipe::Experts::alpha>({.path = "experts.alpha",
                                                         .label = "α",
                                                         .maximum = 1000,
                                                         .step = 0.1,
                                                         .formula = "σ(α g)",
                                                         .tooltip = "Steepness of the clamped unit's gate."})
           .when([](const Recipe& recipe) { return recipe.experts.kind == ExpertKind::clampedGlu; }),
       value<&Recipe::experts, &Recipe::Experts::limit>({.path = "experts.limit",
                                                         .label = "Clamp",
                                                         .minimum = 0.0001,
                                                         .maximum = 1e6,
                                                         .step = 0.5,
                                                         .formula = "g ≤ limit, |u| ≤ limit",
                                                         .tooltip = "Where the clamped unit cuts off."})
           .when([](const Recipe& recipe) { return recipe.experts.kind == ExpertKind::clampedGlu; }),
       choice<&Recipe::experts, &Recipe::Experts::init>(
           {.path = "experts.init.kind", .label = "Start from", .tooltip = "What an expert's weights are at creation."},
           Choices<Recipe::Experts::Init>{
               {Recipe::Experts::Init::random,
                {"random", "Random", "N(0, σ²)", "Every expert starts from its own random weights."}},
               {Recipe::Experts::Init::denseCopy,
                {"dense_copy", "Copies of the dense network", "expert e = dense",
                 "Upcycling: every expert starts as a copy of the dense network."}},
               {Recipe::Experts::Init::denseSlice,
                {"dense_slice", "Slices of the dense network", "units eF … (e+1)F",
                 "Expert e starts as its share of the dense network's hidden units."}}}),
       value<&Recipe::experts, &Recipe::Experts::initNoise>(
           {.path = "experts.init.noise",
            .label = "Noise at start",
            .maximum = 1000,
            .step = 0.01,
            .formula = "+ noise · std(W) · n",
            .tooltip = "Noise added to copied weights, as a share of their deviation."})
           .when([](const Recipe& recipe) { return recipe.experts.init != Recipe::Experts::Init::random; })},
      {}}.withDefaultsOf();
  return table;
}

}  // namespace moe
