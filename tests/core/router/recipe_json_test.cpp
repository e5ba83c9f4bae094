#include "core/router/recipe_json.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "tests/support/random_routing.h"
#include "tests/support/register.h"

using namespace moe;
using nlohmann::json;

namespace {

std::string refusal(const json& recipe, const std::string& path = "") {
  try {
    recipeFromJson(recipe, path);
  } catch (const Error& error) { return error.what(); }
  return "";
}

}  // namespace

class RecipeJsonTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void anAbsentKeyHasItsDefault() {
    const Recipe recipe = recipeFromJson({{"experts", {{"count", 8}}}});
    Recipe expected;
    expected.experts.count = 8;
    QVERIFY(recipe == expected);
  }
  void randomRecipesReadBackAsTheyWereWritten() {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      test::Choices choices(seed);
      Recipe recipe = test::randomRecipe(choices);
      recipe.combine.shared = Recipe::Combine::Shared{2, 7, choices.chance(0.5)};
      recipe.combine.denseResidual = Recipe::Combine::DenseResidual{ExpertKind::mlp, Activation::gelu, 5, true};
      recipe.experts.hidden.resize(choices.chance(0.5) ? 1 : static_cast<std::size_t>(recipe.experts.count), 3);
      recipe.head.losses.push_back({"mix", Recipe::Head::Form::competitive, 0.5});
      QVERIFY(recipeFromJson(toJson(recipe)) == recipe);
      QVERIFY(recipeFromJson(json::parse(toJson(recipe).dump())) == recipe);
    }
  }
  void onlyWhatDiffersFromTheDefaultIsWritten() {
    Recipe recipe;
    recipe.experts.count = 4;
    QCOMPARE(toJson(recipe), json({{"experts", {{"count", 4}, {"kind", "glu"}}}}));
    recipe.select.k = 3;
    QCOMPARE(toJson(recipe)["select"], json({{"k", 3}}));
  }
  void wordsWithOneValueAreRead() {
    const json block = {{"norm", "rms"}}, force = {{"experts", {1}}, {"slot", "last"}};
    const Recipe recipe =
        recipeFromJson({{"experts", {{"count", 4}}}, {"block", block}, {"select", {{"force", force}}}});
    QCOMPARE(recipe.select.force->experts, std::vector<int>{1});
  }
  void nullSwitchesAPartOff() {
    QVERIFY(!recipeFromJson({{"experts", {{"count", 4}}}, {"select", {{"force", nullptr}}}}).select.force);
  }
  void anEmptyPartIsOnWithItsDefaults() {
    const Recipe recipe =
        recipeFromJson({{"experts", {{"count", 4}}}, {"adjust", {{"selection_bias", json::object()}}}});
    QCOMPARE(recipe.adjust.selectionBias->rate, 0.001);
  }
  void everyMistakeIsNamedByItsPath_data() {
    QTest::addColumn<QString>("recipe");
    QTest::addColumn<QString>("begins");
    const auto row = [](const char* name, const QString& recipe, const QString& begins) {
      QTest::newRow(name) << recipe << begins;
    };
    row("no object", "[1]", "[recipe] ");
    row("no experts", "{}", "[recipe] experts.count: expected the number of experts, found nothing");
    row("no count", "{'experts': {}}", "[recipe] experts.count: expected the number of experts, found nothing");
    row("key", "{'experts': {'count': 4}, 'selct': {}}",
        "[recipe] selct: unknown key; expected one of experts, logits");
    row("deep key", "{'experts': {'count': 4}, 'perturb': {'noise': {'kin': 'none'}}}",
        "[recipe] perturb.noise.kin: unknown");
    row("value", "{'experts': {'count': 4}, 'select': {'kind': 'topk'}}",
        "[recipe] select.kind: expected one of top_k, top_p, all, hash, assignment, expert_choice, found \"topk\"");
    row("type", "{'experts': {'count': '4'}}", "[recipe] experts.count: expected an integer, found \"4\"");
    row("fraction", "{'experts': {'count': 4.5}}", "[recipe] experts.count: expected an integer");
    row("huge", "{'experts': {'count': 99999999999}}", "[recipe] experts.count: expected an integer");
    row("number", "{'experts': {'count': 4}, 'weigh': {'scale': true}}", "[recipe] weigh.scale: expected a number");
    row("bool", "{'experts': {'count': 4}, 'logits': {'bias': 1}}", "[recipe] logits.bias: expected true or false");
    row("list", "{'experts': {'count': 4}, 'balance': {}}", "[recipe] balance: expected a list");
    row("term key", "{'experts': {'count': 4}, 'balance': [{'kind': 'z'}, {'kind': 'z', 'x': 1}]}",
        "[recipe] balance.1.x: unknown");
    row("term kind", "{'experts': {'count': 4}, 'balance': [{'name': 'a'}]}", "[recipe] balance.0.kind: expected");
    row("hidden", "{'experts': {'count': 4, 'hidden': [3, 'x']}}",
        "[recipe] experts.hidden: expected an integer or a list");
    row("only value", "{'experts': {'count': 4}, 'block': {'norm': 'layer'}}",
        "[recipe] block.norm: expected rms, found \"layer\"");
  }
  void everyMistakeIsNamedByItsPath() {
    QFETCH(QString, recipe);
    QFETCH(QString, begins);
    const std::string found = refusal(json::parse(recipe.replace('\'', '"').toStdString()));
    QVERIFY2(QString::fromStdString(found).startsWith(begins), found.c_str());
  }
  void aPathIsPutBeforeEveryName() {
    const std::string found = refusal({{"experts", {{"count", 4}}}, {"score", {{"kind", "x"}}}}, "layers.2.recipe");
    QVERIFY2(found.starts_with("[recipe] layers.2.recipe.score.kind: "), found.c_str());
  }
};
SWITCHYARD_TEST(RecipeJsonTest)
#include "recipe_json_test.moc"
