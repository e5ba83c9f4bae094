#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/backend/reference/reference_backend.h"
#include "core/golden/golden_run.h"
#include "core/golden/observables.h"
#include "tests/support/register.h"

using namespace moe;
using Json = nlohmann::json;

namespace {

double objective(const GoldenVector& file) {
  ReferenceBackend backend(DType::f64);
  GoldenRun run(backend, DType::f64, file, file.cases[0]);
  return observe(run, {"objective_total"})->data[0];
}

/// A stored file's inputs under another recipe; what is expected is only that gradients fit values.
Json fileWith(const std::string& pipeline, const std::string& draws) {
  Json json = Json::parse(std::ifstream(std::string(SWITCHYARD_SOURCE_DIR "/tests/golden/") + "olmoe.json"));
  Json& recipe = json["config"]["pipeline"];
  const Json experts = recipe["experts"];
  recipe = Json::parse(pipeline);
  recipe["experts"] = experts;
  json["expected"] = Json{{"objective_total", 0}};
  std::uint32_t seed = 1;
  const Json shapes = Json::parse(draws);
  for (const auto& [role, shape] : shapes.items()) {
    Json tensor{{"dtype", "float64"}, {"shape", shape}, {"data", Json::array()}};
    std::int64_t elements = 1;
    for (const Json& extent : shape) elements *= extent.get<std::int64_t>();
    const Tensor numbers = hostTensor({elements, 1}, DType::f64);
    const bool uniform = role.find("random_second") != std::string::npos || role.find("force") != std::string::npos;
    if (role.find("jitter") != std::string::npos)
      fillUniform(numbers, {.seed = seed++}, 0.9, 1.1);
    else if (uniform)
      fillUniform(numbers, {.seed = seed++}, 0, 1);
    else
      fillNormal(numbers, {.seed = seed++}, 0, 0.5);
    for (const double value : numbers.span<double>()) tensor["data"].push_back(value);
    json["inputs"][role] = tensor;
    json["config"]["tensors"][role] = role;
  }
  return json;
}

}  // namespace

class GoldenGradientsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  /// Recipes that no file holds: the gradient reported for each input must be that of the objective reported.
  void gradientsFitTheObjectiveUnderOtherRecipes_data() {
    QTest::addColumn<std::string>("pipeline");
    QTest::addColumn<std::string>("draws");
    const auto row = [](const char* name, const char* pipeline, const char* draws = "{}") {
      QTest::newRow(name) << std::string(pipeline) << std::string(draws);
    };
    row("sigmoid, groups, bias, device terms",
        R"({"score": {"kind": "sigmoid"}, "adjust": {"selection_bias": {"rate": 0.1, "update": "proportional"}, "expert_groups": {"count": 4, "keep": 2, "by": "top2_sum"}},
            "select": {"k": 3}, "weigh": {"kind": "renormalised", "epsilon": 0.1, "scale": 1.5},
            "balance": [{"name": "a", "kind": "load", "coefficient": 0.3, "counts_from": "unadjusted"}, {"name": "b", "kind": "device", "coefficient": 0.2, "devices": 4},
                        {"name": "c", "kind": "communication", "coefficient": 0.2, "devices": 2, "max_devices": 1}]})",
        R"({"adjust.selection_bias.value": [16]})");
    row("learned noise, next best, smooth load",
        R"({"perturb": {"input_jitter": 0.1, "noise": {"kind": "learned", "epsilon": 0.01}}, "adjust": {"rank_by": "logits"}, "select": {"k": 2},
            "weigh": {"kind": "softmax_selected"}, "capacity": {"factor": 0.7, "counts_k": true, "overflow": "next_best"},
            "balance": [{"name": "a", "kind": "load_cv2", "coefficient": 0.5}, {"name": "b", "kind": "importance_cv2", "coefficient": 0.5}, {"name": "c", "kind": "z", "coefficient": 0.01}]})",
        R"({"perturb.input_jitter.draw": [32, 16], "perturb.noise.weight": [16, 16], "perturb.noise.draw": [32, 16]})");
    row("noise for the selection alone, input weighed, dropped and renormalised",
        R"({"perturb": {"noise": {"kind": "gaussian", "applies_to": "selection"}}, "select": {"k": 3}, "weigh": {"kind": "renormalised", "applies_to": "input"},
            "capacity": {"factor": 1.0, "token_groups": 2, "order": "token", "renormalise_after_drop": true},
            "balance": [{"name": "a", "kind": "load", "coefficient": 0.3, "scope": "token_group", "normalisation": "mean"}, {"name": "b", "kind": "entropy", "coefficient": 0.1}]})",
        R"({"perturb.noise.draw": [32, 16]})");
    row("top-p with a capacity by probability",
        R"({"select": {"kind": "top_p", "p": 0.6}, "weigh": {"kind": "renormalised"}, "capacity": {"slots": 3, "order": "probability"},
            "balance": [{"name": "a", "kind": "load", "coefficient": 0.3, "normalisation": "per_token", "counts": "first"}]})");
    row("expert choice in token groups",
        R"({"select": {"kind": "expert_choice"}, "weigh": {"kind": "score", "scale": 2}, "capacity": {"factor": 1.5, "token_groups": 2}})");
    row("everyone, by softmax", R"({"select": {"kind": "all"}, "weigh": {"kind": "softmax_selected"}})");
    row("forced experts and random seconds' neighbours",
        R"({"select": {"k": 2, "force": {"experts": [3, 9], "fraction": 0.5, "steps": 5}}, "weigh": {"kind": "score"}, "capacity": {"slots": 4, "order": "batch_prioritised"}})",
        R"({"select.force.token_draw": [32], "select.force.expert_draw": [32]})");
  }
  void gradientsFitTheObjectiveUnderOtherRecipes() {
    QFETCH(std::string, pipeline);
    QFETCH(std::string, draws);
    GoldenVector file = parseGoldenVector(fileWith(pipeline, draws).dump());
    ReferenceBackend backend(DType::f64);
    GoldenRun run(backend, DType::f64, file, file.cases[0]);
    GoldenObjective everything;
    everything.output = everything.allHeadLosses = true;
    everything.balance = kAllBalanceTerms;
    for (GoldenInput& input : file.inputs) {
      if (!isDifferentiable(input.role)) continue;
      const std::vector<double>& gradient = run.gradients(everything).at(input.role);
      std::vector<double>& data = input.tensor.data;
      double error = 0, size = 0;
      const std::size_t stride = gradient.size() / 12 + 1;
      for (std::size_t i = stride / 2; i < gradient.size(); i += stride) {
        const double kept = data[i];
        data[i] = kept + 1e-5;
        const double above = objective(file);
        data[i] = kept - 1e-5;
        const double numeric = (above - objective(file)) / 2e-5;
        data[i] = kept;
        error += (numeric - gradient[i]) * (numeric - gradient[i]);
        size += gradient[i] * gradient[i];
      }
      QVERIFY2(size > 0 && std::sqrt(error / size) <= 1e-6,
               (input.role + ": " + std::to_string(std::sqrt(error / size))).c_str());
    }
  }
};
SWITCHYARD_TEST(GoldenGradientsTest)
#include "golden_gradients_test.moc"
