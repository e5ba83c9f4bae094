#include "core/router/combine.h"

#include "core/config/table.h"
#include "core/router/recipe.h"

namespace moe {

const SettingTable<Recipe>& combineRows() {
  using namespace rows;
  static const SettingTable<Recipe> table =
      SettingTable<Recipe>{
          "combine",
          "Combine",
          "Adds up what a token's experts gave, and what runs beside them.",
          {value<&Recipe::combine, &Recipe::Combine::expertDropout>(
               {.path = "combine.expert_dropout",
                .label = "Dropout inside experts",
                .maximum = 0.999,
                .step = 0.05,
                .formula = "h · keep / (1 − q)",
                .tooltip = "Drops hidden units of routed experts in training.",
                .changesLive = true}),
           value<&Recipe::combine, &Recipe::Combine::shared, &Recipe::Combine::Shared::count>(
               {.path = "combine.shared.count",
                .label = "Shared experts",
                .minimum = 1,
                .maximum = 1024,
                .step = 1,
                .unit = "experts",
                .formula = "y += Σ FFN(x)",
                .tooltip = "How many experts every token runs through."}),
           value<&Recipe::combine, &Recipe::Combine::shared, &Recipe::Combine::Shared::hidden>(
               {.path = "combine.shared.hidden",
                .label = "Shared hidden size",
                .minimum = 0,
                .maximum = 1e6,
                .step = 1,
                .unit = "units",
                .formula = "F",
                .tooltip = "Hidden units of a shared expert."})
               .when([](const Recipe& recipe) { return recipe.experts.kind != ExpertKind::linear; }),
           choice<&Recipe::combine, &Recipe::Combine::shared, &Recipe::Combine::Shared::tokenGate>(
               {.path = "combine.shared.token_gate",
                .label = "Token gate",
                .tooltip = "A gate on the shared experts, one number a token."},
               Choices<bool>{{false, {"none", "None", "y += shared(x)", "Shared experts always count fully."}},
                             {true,
                              {"sigmoid", "Sigmoid", "y += σ(w_s · x) shared(x)",
                               "A learned gate decides for each token how much the shared experts count."}}}),
           choice<&Recipe::combine, &Recipe::Combine::denseResidual, &Recipe::Combine::DenseResidual::kind>(
               {.path = "combine.dense_residual.kind",
                .label = "Dense network",
                .tooltip = "What runs beside the experts."},
               networkChoices()),
           choice<&Recipe::combine, &Recipe::Combine::denseResidual, &Recipe::Combine::DenseResidual::activation>(
               {.path = "combine.dense_residual.activation",
                .label = "Dense activation",
                .tooltip = "The non-linearity inside the dense network."},
               activationChoices())
               .when([](const Recipe& recipe) {
                 return recipe.combine.denseResidual && (recipe.combine.denseResidual->kind == ExpertKind::mlp ||
                                                         recipe.combine.denseResidual->kind == ExpertKind::glu);
               }),
           value<&Recipe::combine, &Recipe::Combine::denseResidual, &Recipe::Combine::DenseResidual::hidden>(
               {.path = "combine.dense_residual.hidden",
                .label = "Dense hidden size",
                .minimum = 0,
                .maximum = 1e6,
                .step = 1,
                .unit = "units",
                .formula = "F",
                .tooltip = "Hidden units of the dense network."})
               .when([](const Recipe& recipe) {
                 return recipe.combine.denseResidual && recipe.combine.denseResidual->kind != ExpertKind::linear;
               }),
           value<&Recipe::combine, &Recipe::Combine::denseResidual, &Recipe::Combine::DenseResidual::bias>(
               {.path = "combine.dense_residual.bias",
                .label = "Dense biases",
                .formula = "W x + b",
                .tooltip = "Adds biases to the dense network."})},
          {part<&Recipe::combine, &Recipe::Combine::shared>(
               {"combine.shared", "Shared experts",
                "Experts that every token runs through, whatever the router says."}),
           part<&Recipe::combine, &Recipe::Combine::denseResidual>(
               {"combine.dense_residual", "Dense residual",
                "A dense network beside the experts, reading the state after attention through its own norm."})}}
          .withDefaultsOf();
  return table;
}

}  // namespace moe
