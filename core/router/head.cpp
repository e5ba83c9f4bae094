#include "core/router/head.h"

#include "core/config/rows.h"
#include "core/router/recipe.h"

namespace moe {
namespace {

using Loss = Recipe::Head::Loss;

const SettingRows<Loss>& lossRows() {
  using namespace rows;
  using Form = Recipe::Head::Form;
  static const SettingRows<Loss> all({SettingTable<Loss>{
      "losses",
      "Losses",
      "What a mixture head is trained on.",
      {value<&Loss::name>({.path = "name"}).alwaysWritten(),
       choice<&Loss::form>({.path = "form"}, Choices<Form>{{Form::likelihood, {"likelihood", {}, {}, {}}},
                                                           {Form::competitive, {"competitive", {}, {}, {}}},
                                                           {Form::cooperative, {"cooperative", {}, {}, {}}}})
           .requires_("likelihood, competitive or cooperative"),
       value<&Loss::coefficient>({.path = "coefficient", .maximum = 1000, .changesLive = true}).alwaysWritten()}}
                                          .withDefaultsOf()});
  return all;
}

}  // namespace

const SettingTable<Recipe>& headRows() {
  using namespace rows;
  using Kind = Recipe::Head::Kind;
  using Density = Recipe::Head::Density;
  static const SettingTable<Recipe> table =
      SettingTable<Recipe>{
          "head",
          "Head",
          "What turns a token's numbers into a prediction.",
          {choice<&Recipe::head, &Recipe::Head::kind>(
               {.path = "head.kind"},
               Choices<Kind>{{Kind::linear, {"linear", {}, {}, {}}}, {Kind::mixture, {"mixture", {}, {}, {}}}}),
           choice<&Recipe::head, &Recipe::Head::density>(
               {.path = "head.density"}, Choices<Density>{{Density::categorical, {"categorical", {}, {}, {}}},
                                                          {Density::gaussian, {"gaussian", {}, {}, {}}}})}}
          .withDefaultsOf();
  return table;
}

SettingList<Recipe> headLossList() {
  return rows::list<&Recipe::head, &Recipe::Head::losses>("head.losses", lossRows(),
                                                          [](Loss& loss, const nlohmann::json& json) {
                                                            if (!json.contains("name")) loss.name = json["form"];
                                                          });
}

}  // namespace moe
