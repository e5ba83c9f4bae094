#include "core/router/stages.h"

#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/router/recipe_json.h"
#include "core/router/recipe_rows.h"
#include "tests/support/register.h"
#undef slots  // Qt's keyword; here it is a word of the vocabulary

using namespace moe;
using nlohmann::json;

namespace {

/// A recipe that says nothing but this one setting.
json saying(const SettingSection& stage, const Setting& setting, const json& value) {
  json recipe = {{"experts", {{"count", 4}}}};
  std::string pointer = stage.id == "balance" ? "/" : "";
  pointer += setting.path;
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  if (stage.id == "balance") {
    json term = {{"kind", "load"}};
    term[json::json_pointer(pointer)] = value;
    recipe["balance"] = json::array({term});
  } else {
    recipe[json::json_pointer("/" + pointer)] = value;
  }
  return recipe;
}

/// Values from one end of a setting to the other, as a file would hold them.
std::vector<json> valuesOf(const Setting& setting) {
  switch (setting.kind) {
    case SettingKind::choice: {
      std::vector<json> words;
      for (const SettingWord& word : setting.words) words.emplace_back(word.id);
      return words;
    }
    case SettingKind::boolean: return {false, true};
    case SettingKind::number: return {setting.minimum, setting.maximum};
    case SettingKind::integer:
      return {static_cast<std::int64_t>(setting.minimum), static_cast<std::int64_t>(setting.maximum)};
    case SettingKind::text: return {"a"};
    case SettingKind::integerList:
      return {json::array({static_cast<std::int64_t>(setting.minimum), static_cast<std::int64_t>(setting.maximum)})};
  }
  return {};
}

std::string refusal(const json& recipe) {
  try {
    recipeFromJson(recipe);
  } catch (const Error& error) { return error.what(); }
  return "";
}

/// Dotted paths of all that a recipe can say about its stages. Lists of numbers are one setting.
void collectPaths(const json& at, const std::string& path, std::set<std::string>& out) {
  if (at.is_object())
    for (const auto& [key, value] : at.items()) collectPaths(value, path.empty() ? key : path + "." + key, out);
  else if (at.is_array() && !at.empty() && at[0].is_object())
    for (std::size_t i = 0; i < at.size(); ++i) collectPaths(at[i], path + "." + std::to_string(i), out);
  else
    out.insert(path);
}

}  // namespace

class StagesTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everySettingIsReadAtBothEndsOfItsRange() {
    for (const SettingSection& stage : stages())
      for (const Setting& setting : stage.settings)
        for (const json& value : valuesOf(setting)) {
          const json recipe = saying(stage, setting, value);
          QVERIFY2(refusal(recipe).empty(), (recipe.dump() + ": " + refusal(recipe)).c_str());
        }
  }
  void everyWordIsReadAndWrittenBack() {
    for (const SettingSection& stage : stages())
      for (const Setting& setting : stage.settings) {
        QCOMPARE(setting.words.empty(), setting.kind != SettingKind::choice);
        for (const SettingWord& word : setting.words) {
          const Recipe recipe = recipeFromJson(saying(stage, setting, word.id));
          QVERIFY2(recipeFromJson(toJson(recipe)) == recipe, std::string(word.id).c_str());
        }
      }
  }
  void everyOptionMakesItsOwnRecipe() {
    for (const SettingSection& stage : stages())
      for (const Setting& setting : stage.settings) {
        if (setting.kind != SettingKind::choice) continue;
        std::vector<Recipe> made;
        for (const SettingWord& option : setting.words) {
          made.push_back(recipeFromJson(saying(stage, setting, option.id)));
          for (std::size_t i = 0; i + 1 < made.size(); ++i)
            QVERIFY2(!(made[i] == made.back()), std::string(option.id).c_str());
        }
      }
  }
  void whateverARecipeSaysAboutItsStagesHasASetting() {
    // Every part present and nothing at its default, so that all of it is written.
    Recipe r;
    r.experts = {.count = 8,
                 .kind = ExpertKind::mlp,
                 .activation = Activation::gelu,
                 .hidden = {4},
                 .bias = true,
                 .outputWidth = 3,
                 .alpha = 2,
                 .limit = 3,
                 .init = Recipe::Experts::Init::denseCopy,
                 .initNoise = 0.5};
    r.logits.bias = true;
    r.perturb = {.inputJitter = 0.1,
                 .noise = Recipe::Perturb::Noise::gaussian,
                 .sigma = 2,
                 .noiseEpsilon = 0.5,
                 .noiseAppliesTo = Recipe::Perturb::AppliesTo::selection,
                 .anneal = Recipe::Perturb::Anneal::linear,
                 .annealFraction = 0.5,
                 .wholeExpertDropout = 0.1};
    r.score = Recipe::Score::sigmoid;
    r.adjust.rankBy = Recipe::Adjust::RankBy::logits;
    r.adjust.sinkhorn = {0.5, 0.5};
    r.adjust.selectionBias = {0.5, Recipe::Adjust::SelectionBias::Update::proportional};
    r.adjust.expertGroups = {2, 1, Recipe::Adjust::ExpertGroups::By::top2Sum};
    r.select.kind = Recipe::Select::Kind::expertChoice;
    r.select.k = 3;
    r.select.p = 0.9;
    r.select.generation = Recipe::Select::Generation::past;
    r.select.randomSecond = {3, true};
    r.select.force = {{1}, 0.9, 7};
    r.weigh = {Recipe::Weigh::Kind::score, 0.5, 2, Recipe::Weigh::AppliesTo::input};
    r.capacity = {.slots = 3,
                  .factor = 2,
                  .evalFactor = 3,
                  .countsK = true,
                  .rounding = Recipe::Capacity::Rounding::floor,
                  .minimum = 2,
                  .tokenGroups = 2,
                  .order = Recipe::Capacity::Order::token,
                  .overflow = Recipe::Capacity::Overflow::noTokenLeftBehind,
                  .tries = 2,
                  .renormaliseAfterDrop = true};
    r.combine = {Recipe::Combine::Shared{2, 4, true},
                 Recipe::Combine::DenseResidual{ExpertKind::mlp, Activation::gelu, 4, true}, 0.5};
    r.balance = {{.name = "aux",
                  .kind = Recipe::BalanceTerm::Kind::communication,
                  .coefficient = 0.5,
                  .normalisation = Recipe::BalanceTerm::Normalisation::mean,
                  .counts = Recipe::BalanceTerm::Counts::first,
                  .countsFrom = Recipe::BalanceTerm::CountsFrom::unadjusted,
                  .scope = Recipe::BalanceTerm::Scope::sequence,
                  .layers = Recipe::BalanceTerm::Layers::mean,
                  .devices = 2,
                  .maxDevices = 2,
                  .epsilon = 0.5}};
    std::set<std::string> paths;
    collectPaths(toJson(r), "", paths);
    // A term's name is its heading, and a forced slot is always the last one.
    for (const char* heading : {"balance.0.name", "select.force.slot"}) paths.erase(heading);
    for (const std::string& path : paths)
      QVERIFY2(path.starts_with("balance.0.") ? recipeRows().lists().front().setting(path.substr(10)) != nullptr
                                              : recipeRows().find(path) != nullptr,
               path.c_str());
    // And each setting of the tables is among them, but the router's kind, which "linear" leaves unsaid.
    paths.insert("logits.kind");
    for (const SettingSection& stage : stages())
      for (const Setting& setting : stage.settings) {
        const std::string path = (stage.id == "balance" ? "balance.0." : "") + std::string(setting.path);
        QVERIFY2(paths.count(path) == 1, path.c_str());
      }
  }
  void everyStageIsFoundByItsId() {
    for (const SettingSection& stage : stages()) QCOMPARE(findStage(stage.id), &stage);
    QVERIFY(!findStage("train") && !findStage(""));
  }
  void everyWordOnTheScreenIsExplained() {
    const auto sentence = [](std::string_view text) { return text.size() > 1 && text.back() == '.'; };
    for (const SettingSection& stage : stages()) {
      QVERIFY(!stage.label.empty() && sentence(stage.tooltip));
      for (const SettingPart& part : stage.parts) QVERIFY(!part.label.empty() && sentence(part.tooltip));
      for (const Setting& setting : stage.settings) {
        QVERIFY2(!setting.label.empty() && sentence(setting.tooltip), std::string(setting.path).c_str());
        QVERIFY2(setting.minimum < setting.maximum && setting.step > 0, std::string(setting.path).c_str());
        for (const SettingWord& option : setting.words)
          QVERIFY2(!option.label.empty() && !option.formula.empty() && sentence(option.tooltip),
                   std::string(option.id).c_str());
      }
    }
  }
};
SWITCHYARD_TEST(StagesTest)
#include "stages_test.moc"
