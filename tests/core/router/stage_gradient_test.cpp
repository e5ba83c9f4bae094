#include <nlohmann/json.hpp>

#include "core/router/recipe_json.h"
#include "tests/support/register.h"
#include "tests/support/routing_gradients.h"

using namespace moe;
using namespace moe::test;

/// One difference quotient for every option of every routing stage, with nothing else switched on.
class StageGradientTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void eachOptionAloneAgreesWithDifferences_data() {
    QTest::addColumn<QString>("stages");
    const auto row = [](const char* name, const char* stages) { QTest::newRow(name) << QString(stages); };
    row("logits, bias", "'logits': {'bias': true}");
    row("perturb, jitter", "'perturb': {'input_jitter': 0.1}");
    row("perturb, jitter annealed", "'perturb': {'input_jitter': 0.1, 'anneal': {'kind': 'linear', 'fraction': 0.5}}");
    row("perturb, gaussian", "'perturb': {'noise': {'kind': 'gaussian', 'sigma': 0.7}}");
    row("perturb, gaussian on selection", "'perturb': {'noise': {'kind': 'gaussian', 'applies_to': 'selection'}}");
    row("perturb, learned", "'perturb': {'noise': {'kind': 'learned', 'epsilon': 0.01}}");
    row("perturb, learned annealed",
        "'perturb': {'noise': {'kind': 'learned'}, 'anneal': {'kind': 'cosine', 'fraction': 0.5}}");
    row("perturb, learned on selection", "'perturb': {'noise': {'kind': 'learned', 'applies_to': 'selection'}}");
    row("perturb, whole-expert dropout", "'perturb': {'whole_expert_dropout': 0.4}");
    row("score, softmax", "'weigh': {'kind': 'score'}");
    row("score, sigmoid", "'score': {'kind': 'sigmoid'}, 'weigh': {'kind': 'score'}");
    row("score, sigmoid renormalised", "'score': {'kind': 'sigmoid'}");
    row("score, identity", "'score': {'kind': 'identity'}, 'weigh': {'kind': 'score'}");
    row("adjust, ranked by logits", "'adjust': {'rank_by': 'logits'}");
    row("adjust, selection bias", "'adjust': {'selection_bias': {}}");
    row("adjust, groups by max", "'adjust': {'expert_groups': {'count': 3, 'keep': 2, 'by': 'max'}}");
    row("adjust, groups by top 2", "'adjust': {'expert_groups': {'count': 3, 'keep': 1, 'by': 'top2_sum'}}");
    row("select, top-p", "'select': {'kind': 'top_p', 'p': 0.6}");
    row("select, all", "'select': {'kind': 'all'}, 'weigh': {'kind': 'score'}");
    row("select, assignment", "'select': {'kind': 'assignment'}, 'weigh': {'kind': 'score'}");
    row("select, expert choice",
        "'select': {'kind': 'expert_choice'}, 'weigh': {'kind': 'score'}, 'capacity': {'factor': 2}");
    row("select, random second", "'select': {'random_second': {}}");
    row("select, force", "'select': {'force': {'experts': [1, 4], 'fraction': 0.5}}");
    row("weigh, renormalised with epsilon and scale", "'weigh': {'epsilon': 0.2, 'scale': 2.5}");
    row("weigh, softmax of the selected", "'weigh': {'kind': 'softmax_selected', 'scale': 0.5}");
    row("capacity, dropped", "'capacity': {'slots': 4}");
    row("capacity, by probability", "'capacity': {'slots': 4, 'order': 'probability'}");
    row("capacity, reweighed", "'capacity': {'slots': 6, 'renormalise_after_drop': true}, 'select': {'k': 3}");
    row("capacity, softmax reweighed",
        "'capacity': {'slots': 6, 'renormalise_after_drop': true}, 'select': {'k': 3}, 'weigh': {'kind': "
        "'softmax_selected'}");
    row("capacity, next best", "'capacity': {'slots': 9, 'overflow': 'next_best'}");
    row("capacity, no token left behind",
        "'select': {'k': 1}, 'weigh': {'kind': 'score'}, 'capacity': {'slots': 4, 'overflow': 'no_token_left_behind', "
        "'tries': 3}");
    for (const auto& [name, keys] : balanceTerms())
      QTest::newRow(("balance, " + name.toStdString()).c_str())
          << QString("'capacity': {'token_groups': 2}, 'select': {'k': 3}, %1")
                     .arg(keys.contains("load_cv2")
                              ? "'perturb': {'noise': {'kind': '" +
                                    QString(name.contains("learned") ? "learned" : "gaussian") + "'}}, "
                              : QString()) +
                 QString("'balance': [{'name': 'term', 'coefficient': 1, %1}]").arg(keys);
  }
  void eachOptionAloneAgreesWithDifferences() {
    QFETCH(QString, stages);
    const Recipe recipe = recipeOf(stages);
    QVERIFY2(problems(recipe).empty(), problems(recipe).empty() ? "" : problems(recipe)[0].sentence.c_str());
    int agreed = 0;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      RandomRouting run(recipe, seed);
      run.objective();
      // A balance term stands alone, without the language loss that would drown it.
      const bool term = !recipe.balance.empty();
      const auto objective = [&] {
        const double whole = run.objective();
        return term ? run.routing.balance[0].value : whole;
      };
      if (term) run.input.balanceGradient = 0;
      const std::vector<double> upstream = run.dAssignment();
      Gradients g = backward(run, term ? std::vector<double>() : upstream);
      const std::pair<Tensor*, Tensor*> pairs[] = {
          {&run.weight, &g.weight}, {&run.bias, &g.bias}, {&run.noiseWeight, &g.noiseWeight}, {&run.x, &g.x}};
      for (const auto& [parameter, gradient] : pairs) {
        const Verdict verdict = check(run, *parameter, *gradient, objective, seed);
        QVERIFY2(verdict != Verdict::differs, ("seed " + std::to_string(seed)).c_str());
        double size = 0;
        for (const double part : gradient->span<double>()) size += std::abs(part);
        agreed += verdict == Verdict::agrees && size > 1e-6;
      }
    }
    QVERIFY2(agreed >= 8, qPrintable(QString("only %1 gradients were other than zero").arg(agreed)));
  }

 private:
  static Recipe recipeOf(QString stages) {
    stages.replace('\'', '"');
    nlohmann::json json = nlohmann::json::parse("{" + stages.toStdString() + "}");
    json["experts"]["count"] = 6;
    return recipeFromJson(json);
  }
  static std::vector<std::pair<QString, QString>> balanceTerms() {
    std::vector<std::pair<QString, QString>> terms = {
        {"load counting first choices", "'kind': 'load', 'counts': 'first'"},
        {"load counting unadjusted choices", "'kind': 'load', 'counts_from': 'unadjusted'"},
        {"device", "'kind': 'device', 'devices': 3"},
        {"communication", "'kind': 'communication', 'devices': 3, 'max_devices': 2"},
        {"z", "'kind': 'z'"},
        {"entropy", "'kind': 'entropy'"},
        {"importance", "'kind': 'importance_cv2'"},
        {"smooth load, gaussian", "'kind': 'load_cv2'"},
        {"smooth load, learned", "'kind': 'load_cv2'"}};
    for (const char* normalisation : {"unit", "per_token", "mean"})
      for (const char* scope : {"micro_batch", "global_batch", "sequence", "token_group"})
        terms.emplace_back(QString("load %1, %2").arg(normalisation, scope),
                           QString("'kind': 'load', 'normalisation': '%1', 'scope': '%2'").arg(normalisation, scope));
    return terms;
  }
};
SWITCHYARD_TEST(StageGradientTest)
#include "stage_gradient_test.moc"
