#include "core/router/problems.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/router/recipe_json.h"
#include "tests/support/register.h"

using namespace moe;

namespace {

/// A recipe of eight experts with these stages.
Recipe recipeOf(QString stages) {
  stages.replace('\'', '"');
  nlohmann::json json = nlohmann::json::parse("{" + stages.toStdString() + "}");
  json["experts"]["count"] = 8;
  return recipeFromJson(json);
}

}  // namespace

class ProblemsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theDefaultRecipeIsAllowed() { QVERIFY(problems(recipeOf("")).empty()); }

  void isRefusedAtItsField_data() {
    QTest::addColumn<QString>("stages");
    QTest::addColumn<QString>("path");
    const auto row = [](const QString& path, const QString& stages) {
      QTest::newRow(qPrintable(stages)) << stages << path;
    };
    // The combinations that the vocabulary refuses, in its order.
    row("weigh.kind", "'select': {'k': 1}");
    row("weigh.kind", "'select': {'k': 1}, 'weigh': {'kind': 'softmax_selected'}");
    row("weigh.kind", "'select': {'kind': 'top_p', 'p': 0.1}");  // a share of 1/8 or more alone reaches it
    row("weigh.kind", "'weigh': {'kind': 'one'}");
    row("weigh.kind", "'score': {'kind': 'identity'}");
    for (const char* kind : {"load", "entropy"})
      row("balance.0.kind",
          QString("'score': {'kind': 'identity'}, 'weigh': {'kind': 'score'}, 'balance': [{'kind': '%1'}]").arg(kind));
    for (const char* kind : {"device", "communication"})
      row("balance.0.kind",
          QString("'score': {'kind': 'identity'}, 'weigh': {'kind': 'score'}, 'balance': [{'kind': '%1', "
                  "'devices': 2, 'max_devices': 1}]")
              .arg(kind));
    row("score.kind", "'select': {'kind': 'top_p'}, 'score': {'kind': 'sigmoid'}");
    row("logits.kind", "'select': {'kind': 'hash'}, 'weigh': {'kind': 'one'}");
    row("weigh.kind", "'select': {'kind': 'hash'}, 'logits': {'kind': 'none'}");
    row("logits.kind", "'logits': {'kind': 'none'}");
    row("select.random_second", "'select': {'k': 3, 'random_second': {}}");
    row("select.random_second", "'select': {'random_second': {}}, 'weigh': {'kind': 'score'}");
    row("select.random_second", "'select': {'random_second': {}}, 'weigh': {'kind': 'softmax_selected'}");
    row("select.random_second", "'select': {'random_second': {}}, 'weigh': {'scale': 2}");
    row("select.random_second", "'select': {'kind': 'all', 'random_second': {}}");
    row("select.random_second", "'select': {'random_second': {}}, 'capacity': {'slots': 2, 'order': 'token'}");
    row("select.random_second", "'select': {'random_second': {}}, 'capacity': {'slots': 2, 'overflow': 'next_best'}");
    row("balance.0.kind", "'balance': [{'kind': 'load_cv2'}]");
    row("balance.0.kind",
        "'perturb': {'noise': {'kind': 'gaussian', 'applies_to': 'selection'}}, 'balance': [{'kind': 'load_cv2'}]");
    row("balance.0.kind",
        "'perturb': {'noise': {'kind': 'gaussian'}}, 'select': {'k': 8}, 'balance': [{'kind': 'load_cv2'}]");
    row("balance.0.kind",
        "'perturb': {'noise': {'kind': 'gaussian'}}, 'select': {'kind': 'all'}, 'balance': [{'kind': 'load_cv2'}]");
    row("adjust.selection_bias", "'select': {'kind': 'all'}, 'adjust': {'selection_bias': {}}");
    row("adjust.expert_groups", "'select': {'kind': 'all'}, 'adjust': {'expert_groups': {'count': 2, 'keep': 2}}");
    row("select.force", "'select': {'kind': 'all', 'force': {'experts': [1]}}");
    row("adjust.expert_groups.count", "'adjust': {'expert_groups': {'count': 3, 'keep': 2}}");
    row("adjust.expert_groups.keep", "'select': {'k': 3}, 'adjust': {'expert_groups': {'count': 4, 'keep': 1}}");
    row("adjust.expert_groups.by", "'adjust': {'expert_groups': {'count': 8, 'keep': 2, 'by': 'top2_sum'}}");
    for (const char* beside :
         {"'select': {'kind': 'top_p'}", "'score': {'kind': 'identity'}, 'weigh': {'kind': 'score'}",
          "'select': {'force': {'experts': [1]}}", "'balance': [{'kind': 'load', 'coefficient': 0.01}]"})
      row("adjust.rank_by", QString("'adjust': {'rank_by': 'sinkhorn'}, ") + beside);
    row("adjust.rank_by", "'adjust': {'rank_by': 'sinkhorn', 'selection_bias': {}}");
    row("adjust.rank_by", "'adjust': {'rank_by': 'sinkhorn', 'expert_groups': {'count': 2, 'keep': 2}}");
    row("balance.0.devices", "'balance': [{'kind': 'device', 'devices': 3}]");
    row("balance.0.devices", "'balance': [{'kind': 'communication', 'devices': 3, 'max_devices': 1}]");
    row("balance.0.max_devices", "'balance': [{'kind': 'communication', 'devices': 2}]");
    row("capacity", "'select': {'kind': 'assignment'}, 'weigh': {'kind': 'score'}, 'capacity': {'slots': 3}");
    row("capacity", "'select': {'kind': 'assignment'}, 'weigh': {'kind': 'score'}, 'capacity': {'factor': 1.5}");
    row("capacity", "'select': {'kind': 'expert_choice'}, 'weigh': {'kind': 'score'}");
    for (const char* term :
         {"'kind': 'device', 'devices': 2", "'kind': 'communication', 'devices': 2, 'max_devices': 1"})
      row("balance.0.kind", QString("'select': {'kind': 'expert_choice'}, 'weigh': {'kind': 'score'}, 'capacity': "
                                    "{'slots': 3}, 'balance': [{%1}]")
                                .arg(term));
    row("balance.0.kind",
        "'select': {'kind': 'expert_choice'}, 'weigh': {'kind': 'score'}, 'capacity': {'slots': 3}, 'balance': "
        "[{'kind': 'load'}]");
    row("adjust.selection_bias",
        "'select': {'kind': 'expert_choice'}, 'weigh': {'kind': 'score'}, 'capacity': {'slots': 3}, 'adjust': "
        "{'selection_bias': {}}");
    row("weigh.kind", "'select': {'kind': 'expert_choice'}, 'capacity': {'slots': 3}");
    row("capacity.order", "'capacity': {'slots': 3, 'overflow': 'next_best', 'order': 'token'}");
    row("capacity.overflow", "'capacity': {'slots': 3, 'overflow': 'no_token_left_behind', 'tries': 2}");
    row("capacity.tries",
        "'select': {'k': 1}, 'weigh': {'kind': 'score'}, 'capacity': {'slots': 3, 'overflow': 'no_token_left_behind'}");
    row("capacity.renormalise_after_drop",
        "'weigh': {'kind': 'score'}, 'capacity': {'slots': 3, 'renormalise_after_drop': true}");
    row("capacity.renormalise_after_drop",
        "'select': {'kind': 'hash'}, 'logits': {'kind': 'none'}, 'weigh': {'kind': 'one'}, 'capacity': {'slots': 3, "
        "'renormalise_after_drop': true}");
    row("experts.hidden", "'experts': {'hidden': [1, 2, 3, 4, 5, 6, 7, 8], 'init': {'kind': 'dense_copy'}}");
    row("balance.0.scope", "'balance': [{'kind': 'load', 'scope': 'token_group'}]");
    // Ranges.
    row("select.k", "'select': {'k': 9}");
    row("select.k", "'select': {'k': 0}");
    row("select.p", "'select': {'kind': 'top_p', 'p': 0}");
    row("select.force.experts", "'select': {'force': {'experts': [8]}}");
    row("select.force.experts", "'select': {'force': {'experts': []}}");
    row("select.force.fraction", "'select': {'force': {'experts': [1], 'fraction': 1.5}}");
    row("perturb.input_jitter", "'perturb': {'input_jitter': 1}");
    row("perturb.whole_expert_dropout", "'perturb': {'whole_expert_dropout': 1}");
    row("perturb.noise.sigma", "'perturb': {'noise': {'kind': 'gaussian', 'sigma': -1}}");
    row("capacity.factor", "'capacity': {'factor': 0}");
    row("capacity.slots", "'capacity': {'slots': 0}");
    row("capacity.token_groups", "'capacity': {'token_groups': 0}");
    row("balance.0.coefficient", "'balance': [{'kind': 'z', 'coefficient': -0.1}]");
    row("balance.1.name", "'balance': [{'kind': 'z'}, {'kind': 'z'}]");
    row("experts.hidden", "'experts': {'hidden': [1, 2]}");
    row("combine.shared.hidden", "'combine': {'shared': {}}");
    row("combine.expert_dropout", "'combine': {'expert_dropout': 1}");
    row("weigh.scale", "'weigh': {'scale': 0}");
  }
  void isRefusedAtItsField() {
    QFETCH(QString, stages);
    QFETCH(QString, path);
    const std::vector<Problem> found = problems(recipeOf(stages));
    const auto at =
        std::find_if(found.begin(), found.end(), [&](const Problem& p) { return p.path == path.toStdString(); });
    QVERIFY2(at != found.end(), found.empty() ? "allowed" : found[0].path.c_str());
    QVERIFY2(at->sentence.ends_with("."), at->sentence.c_str());
  }
  void aConstantWeightIsAllowedWhereTheRouterIsFrozen() {
    for (const char* stages : {"'select': {'k': 1}", "'select': {'k': 1}, 'weigh': {'kind': 'softmax_selected'}",
                               "'select': {'kind': 'top_p', 'p': 0.1}", "'weigh': {'kind': 'one'}"}) {
      QVERIFY(!problems(recipeOf(stages)).empty());
      QVERIFY(problems(recipeOf(stages), false).empty());
    }
    // A frozen router still has to give probabilities.
    QVERIFY(!problems(recipeOf("'score': {'kind': 'identity'}"), false).empty());
  }
  void whatSeesLaterTokensIsMarkedAndAllowed() {
    for (const char* stages :
         {"'select': {'kind': 'expert_choice'}, 'weigh': {'kind': 'score'}, 'capacity': {'factor': 2}",
          "'select': {'kind': 'assignment'}, 'weigh': {'kind': 'score'}",
          "'adjust': {'rank_by': 'sinkhorn'}, 'weigh': {'kind': 'score'}"}) {
      QVERIFY(problems(recipeOf(stages)).empty());
      QCOMPARE(marks(recipeOf(stages)).size(), std::size_t{1});
    }
    QVERIFY(marks(recipeOf("")).empty());
  }
  void theBatchMustSuitAssignmentAndGroups() {
    const Recipe assignment = recipeOf("'select': {'kind': 'assignment'}, 'weigh': {'kind': 'score'}");
    QVERIFY(batchProblems(assignment, 64).empty());
    QCOMPARE(batchProblems(assignment, 65).at(0).path, std::string("select.kind"));
    QCOMPARE(batchProblems(recipeOf("'capacity': {'token_groups': 3}"), 64).at(0).path,
             std::string("capacity.token_groups"));
  }
};
SWITCHYARD_TEST(ProblemsTest)
#include "problems_test.moc"
