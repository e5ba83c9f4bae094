#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/backend/reference/reference_backend.h"
#include "core/base/error.h"
#include "core/golden/verify_routing.h"
#include "tests/support/register.h"

using namespace moe;
using Json = nlohmann::json;

namespace {

const std::filesystem::path kFolder = SWITCHYARD_SOURCE_DIR "/tests/golden";

Json load(const std::string& name) { return Json::parse(std::ifstream(kFolder / name)); }

VerifyResult verify(const Json& json) {
  ReferenceBackend backend(DType::f64);
  return verifyRouting(backend, parseGoldenVector(json.dump()), "altered");
}

/// The sentence with which an altered file is refused; empty where it is not.
std::string refusal(const std::string& name, const std::function<void(Json&)>& alter) {
  Json json = load(name);
  alter(json);
  try {
    verify(json);
  } catch (const Error& error) { return error.what(); }
  return {};
}

bool names(const std::string& sentence, const std::string& word) { return sentence.find(word) != std::string::npos; }

}  // namespace

class GoldenVectorTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyGoldenVectorPassesOnTheReferenceBackend_data() {
    QTest::addColumn<QString>("file");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kFolder))
      if (entry.path().extension() == ".json")
        QTest::newRow(entry.path().stem().c_str()) << QString::fromStdString(entry.path().string());
  }
  void everyGoldenVectorPassesOnTheReferenceBackend() {
    QFETCH(QString, file);
    ReferenceBackend backend(DType::f64);
    const VerifyResult result = verifyRouting(backend, file.toStdString());
    QVERIFY2(result.passed,
             result.failures.empty() ? "" : (result.failures[0].field + ": " + result.failures[0].reason).c_str());
    QVERIFY(result.fields > 0);
    QVERIFY(result.worstError <= 1e-10);
  }
  void aRealNumberThatIsOffIsFound() {
    Json json = load("mixtral.json");
    double& value = *json["variants"][0]["expected"]["output"]["data"][7].get_ptr<double*>();
    value += 1e-8;
    const VerifyResult result = verify(json);
    QVERIFY(!result.passed);
    QCOMPARE(result.failures.size(), std::size_t{1});
    QCOMPARE(result.worstField, std::string("renormalised/output"));
    QVERIFY(result.worstError > 1e-10 && result.worstError < 1e-7);
  }
  void anIntegerThatIsOffByOneIsFound() {
    Json json = load("deepseek_v3.json");
    json["expected"]["load_count"]["data"][3] = json["expected"]["load_count"]["data"][3].get<int>() + 1;
    const VerifyResult result = verify(json);
    QVERIFY(!result.passed);
    QCOMPARE(result.worstField, std::string("load_count"));
  }
  void aLossWhoseCoefficientIsAlteredIsFound() {
    Json json = load("olmoe.json");
    json["config"]["pipeline"]["balance"][1]["coefficient"] = 0.002;
    const VerifyResult result = verify(json);
    QVERIFY(!result.passed);
    std::string failed;
    for (const VerifyFailure& failure : result.failures) failed += failure.field + " ";
    QVERIFY(names(failed, "losses.z ") && names(failed, "grad_total.x ") && names(failed, "objective_total "));
    QVERIFY(!names(failed, "unscaled"));
  }
  void aFieldThatCannotBeComputedIsAFailureThatNamesIt() {
    Json json = load("olmoe.json");
    json["expected"]["flux"] = 1;
    json["expected"]["shared_output"] = json["expected"]["output"];
    json["expected"]["grad_total"]["grad_output"] = json["inputs"]["grad_output"];
    const VerifyResult result = verify(json);
    QVERIFY(!result.passed);
    QCOMPARE(result.failures.size(), std::size_t{3});
    QVERIFY(names(result.failures[0].field + result.failures[1].field + result.failures[2].field, "flux"));
  }
  void anExpectedShapeThatIsOffIsAFailure() {
    Json json = load("olmoe.json");
    json["expected"]["logits"]["shape"] = {16, 32};
    const VerifyResult result = verify(json);
    QVERIFY(!result.passed);
    QVERIFY(names(result.failures[0].reason, "[32, 16]"));
  }

  void aLayerThatOnlyRunsForwardNeedsNoObjective() {
    Json json = load("olmoe.json");
    json["inputs"].erase("grad_output");
    json["config"]["tensors"].erase("grad_output");
    for (const char* field : {"objective_output_term", "objective_total", "grad_total", "grad_output_term"})
      json["expected"].erase(field);
    const VerifyResult result = verify(json);
    QVERIFY(result.passed);
    QVERIFY(result.fields >= 15);  // the terms' own gradients are among them
  }

  void dropsInTurnAreCountedWithoutTheLogits() {
    Json json = load("health_metrics.json");
    json["inputs"].erase("logits");
    json["config"]["tensors"].erase("logits");
    Json kept = Json::object();
    for (const char* field : {"drop_rate", "token_drop_rate", "kept_count", "load_count", "capacity_slots"})
      kept[field] = json["expected"][field];
    json["expected"] = kept;
    QVERIFY(verify(json).passed);
    // By probability it would take the weights to know who stays.
    json["config"]["pipeline"]["capacity"]["order"] = "probability";
    QCOMPARE(verify(json).failures.size(), std::size_t{3});
  }

  void aMisfittingFileIsRefusedByName_data() {
    using Alter = std::function<void(Json&)>;
    QTest::addColumn<std::string>("file");
    QTest::addColumn<Alter>("alter");
    QTest::addColumn<std::string>("named");
    const auto row = [](const char* what, const char* file, const char* named, const Alter& alter) {
      QTest::newRow(what) << std::string(file) << alter << std::string(named);
    };
    row("no kind", "olmoe.json", "kind", [](Json& j) { j.erase("kind"); });
    row("a kind that is not known", "olmoe.json", "\"block\"", [](Json& j) { j["kind"] = "block"; });
    row("no pipeline", "olmoe.json", "config.pipeline", [](Json& j) { j["config"].erase("pipeline"); });
    row("no expected", "olmoe.json", "expected", [](Json& j) { j.erase("expected"); });
    row("a field that is not known", "olmoe.json", "remark", [](Json& j) { j["remark"] = 1; });
    row("both variants and expected", "mixtral.json", "expected", [](Json& j) { j["expected"] = Json::object(); });
    row("a missing input", "olmoe.json", "inputs.router_weight", [](Json& j) { j["inputs"].erase("router_weight"); });
    row("a missing role", "olmoe.json", "logits.weight", [](Json& j) {
      j["inputs"].erase("router_weight");
      j["config"]["tensors"].erase("router_weight");
    });
    row("an input without a role", "olmoe.json", "config.tensors.x",
        [](Json& j) { j["config"]["tensors"].erase("x"); });
    row("a role that is not known", "olmoe.json", "logits.wait",
        [](Json& j) { j["config"]["tensors"]["router_weight"] = "logits.wait"; });
    row("a role given twice", "olmoe.json", "experts.gate",
        [](Json& j) { j["config"]["tensors"]["expert_Wu"] = "experts.gate"; });
    row("a role without use", "olmoe.json", "logits.bias", [](Json& j) {
      j["inputs"]["b"] = Json{{"dtype", "float64"}, {"shape", {16}}, {"data", std::vector<double>(16, 0.1)}};
      j["config"]["tensors"]["b"] = "logits.bias";
    });
    row("an unknown option", "olmoe.json", "select.kind",
        [](Json& j) { j["config"]["pipeline"]["select"]["kind"] = "top_n"; });
    row("an unknown recipe key", "olmoe.json", "select.kk",
        [](Json& j) { j["config"]["pipeline"]["select"]["kk"] = 2; });
    row("a wrong shape", "olmoe.json", "inputs.router_weight", [](Json& j) {
      j["inputs"]["router_weight"]["shape"] = {32, 8};
    });
    row("a transposed tensor", "olmoe.json", "inputs.expert_Wd", [](Json& j) {
      j["inputs"]["expert_Wd"]["shape"] = {16, 6, 16};
    });
    row("too few numbers", "olmoe.json", "inputs.x.data", [](Json& j) { j["inputs"]["x"]["data"].erase(3); });
    row("extents that overflow", "olmoe.json", "inputs.x.shape", [](Json& j) {
      j["inputs"]["x"]["shape"] = {1LL << 40, 1LL << 40};
    });
    row("an extent below one", "olmoe.json", "inputs.x.shape", [](Json& j) { j["inputs"]["x"]["shape"] = {-1, -512}; });
    row("a text among numbers", "olmoe.json", "inputs.x.data", [](Json& j) { j["inputs"]["x"]["data"][0] = "one"; });
    row("an unknown dtype", "olmoe.json", "inputs.x.dtype", [](Json& j) { j["inputs"]["x"]["dtype"] = "float16"; });
    row("a real number among integers", "deepseek_v3.json", "inputs.sequence_index.data",
        [](Json& j) { j["inputs"]["sequence_index"]["data"][0] = 0.5; });
    row("sequences of unequal length", "deepseek_v3.json", "batch.sequence_index",
        [](Json& j) { j["inputs"]["sequence_index"]["data"][31] = 0; });
    row("a table to an expert that is not there", "hash_layer.json", "select.hash_table",
        [](Json& j) { j["inputs"]["hash_table"]["data"][2] = 8; });
    row("an id outside the table", "hash_layer.json", "batch.token_ids",
        [](Json& j) { j["inputs"]["token_ids"]["data"][2] = 20; });
    row("an id below zero", "health_metrics.json", "batch.token_ids",
        [](Json& j) { j["inputs"]["token_ids"]["data"][2] = -1; });
    row("a selection of no expert", "health_metrics.json", "select.index",
        [](Json& j) { j["inputs"]["topk_index"]["data"][2] = 8; });
    row("more choices than experts", "olmoe.json", "select.k",
        [](Json& j) { j["config"]["pipeline"]["select"]["k"] = 17; });
    row("no experts", "olmoe.json", "experts.count", [](Json& j) { j["config"]["pipeline"]["experts"]["count"] = 0; });
    row("no kind of experts", "olmoe.json", "config.pipeline.experts.kind",
        [](Json& j) { j["config"]["pipeline"]["experts"].erase("kind"); });
    row("no kind of experts in a variant", "mixtral.json", "variants.1.pipeline.experts.kind",
        [](Json& j) { j["variants"][1]["pipeline"]["experts"].erase("kind"); });
    for (const auto& [file, pointer] :
         {std::pair{"mixtral", "/variants/0/pipeline/select/k"}, std::pair{"top_p", "/config/pipeline/select/p"},
          std::pair{"kimi_k2", "/config/pipeline/adjust/selection_bias/rate"},
          std::pair{"deepseek_v2", "/config/pipeline/adjust/expert_groups/by"},
          std::pair{"olmoe", "/config/pipeline/experts/hidden"},
          std::pair{"llama4", "/config/pipeline/combine/shared/hidden"},
          std::pair{"arctic", "/config/pipeline/combine/dense_residual/hidden"},
          std::pair{"stmoe", "/config/pipeline/balance/1/name"},
          std::pair{"jacobs1991", "/config/pipeline/head/losses/0/name"}}) {
      const std::string named = QString(pointer).mid(1).replace('/', '.').toStdString();
      row((std::string("without ") + pointer).c_str(), (std::string(file) + ".json").c_str(), named.c_str(),
          [at = Json::json_pointer(pointer)](Json& j) { j[at.parent_pointer()].erase(at.back()); });
    }
    row("a list of sizes that is too short", "olmoe.json", "experts.hidden",
        [](Json& j) { j["config"]["pipeline"]["experts"]["hidden"] = std::vector<int>(15, 6); });
    row("experts without hidden units", "olmoe.json", "experts.hidden",
        [](Json& j) { j["config"]["pipeline"]["experts"]["hidden"] = 0; });
    row("an output of negative width", "olmoe.json", "experts.output_width",
        [](Json& j) { j["config"]["pipeline"]["experts"]["output_width"] = -1; });
    row("no shared expert", "deepseek_v3.json", "combine.shared.count",
        [](Json& j) { j["config"]["pipeline"]["combine"]["shared"]["count"] = 0; });
    row("shared experts without hidden units", "deepseek_v3.json", "combine.shared.hidden",
        [](Json& j) { j["config"]["pipeline"]["combine"]["shared"]["hidden"] = 0; });
    row("a residual without hidden units", "arctic.json", "combine.dense_residual.hidden",
        [](Json& j) { j["config"]["pipeline"]["combine"]["dense_residual"]["hidden"] = 0; });
    row("more places than tokens to choose", "expert_choice.json", "capacity.slots",
        [](Json& j) { j["config"]["pipeline"]["capacity"]["slots"] = 33; });
    row("a vocabulary beyond memory", "health_metrics.json", "config.vocabulary",
        [](Json& j) { j["config"]["vocabulary"] = 1LL << 40; });
    row("domains below one", "health_metrics.json", "config.domains", [](Json& j) { j["config"]["domains"] = -3; });
    row("an id beyond memory", "health_metrics.json", "batch.token_ids", [](Json& j) {
      j["config"].erase("vocabulary");
      j["inputs"]["token_ids"]["data"][0] = 2147483646;
    });
    row("a head's loss named twice", "jacobs1991.json", "head.losses.1.name",
        [](Json& j) { j["config"]["pipeline"]["head"]["losses"][1]["name"] = "likelihood"; });
    row("a head's loss that is rewarded", "jacobs1991.json", "head.losses.1.coefficient",
        [](Json& j) { j["config"]["pipeline"]["head"]["losses"][1]["coefficient"] = -1; });
    row("a field without a value", "stmoe.json", "expected.keep",
        [](Json& j) { j["expected"]["keep"] = Json::object(); });
    row("a loss without a value", "stmoe.json", "expected.losses.z",
        [](Json& j) { j["expected"]["losses"]["z"] = Json::object(); });
    row("an objective that nothing defines", "olmoe.json", "grad_output", [](Json& j) {
      j["inputs"].erase("grad_output");
      j["config"]["tensors"].erase("grad_output");
    });
    for (const auto& [pointer, value] :
         {std::pair{"/capacity/minimum", 0.0}, std::pair{"/perturb/input_jitter", 1.0}, std::pair{"/weigh/scale", 0.0},
          std::pair{"/weigh/epsilon", -0.1}, std::pair{"/perturb/noise/sigma", -1.0},
          std::pair{"/perturb/noise/epsilon", -1.0}, std::pair{"/perturb/anneal/fraction", 1.5},
          std::pair{"/combine/expert_dropout", 1.0}, std::pair{"/balance/0/coefficient", -0.5},
          std::pair{"/balance/0/epsilon", -0.5}, std::pair{"/block/norm_epsilon", 0.0},
          std::pair{"/capacity/eval_factor", -1.0}}) {
      QString path = pointer;
      const std::string named = path.mid(1).replace('/', '.').toStdString();
      row(pointer, "olmoe.json", named.c_str(), [pointer = std::string(pointer), value = value](Json& j) {
        j["config"]["pipeline"][Json::json_pointer(pointer)] =
            value == std::floor(value) ? Json(static_cast<int>(value)) : Json(value);
      });
    }
    row("a jitter beyond its bound", "dbrx.json", "perturb.input_jitter.draw",
        [](Json& j) { j["config"]["pipeline"]["perturb"]["input_jitter"] = 0.001; });
    row("a unit that is half kept", "switch.json", "combine.expert_dropout.draw",
        [](Json& j) { j["inputs"]["expert_dropout_keep"]["data"][3] = 0.5; });
    row("a draw of one", "schedules.json", "select.force.expert_draw",
        [](Json& j) { j["inputs"]["v"]["data"][0] = 1.0; });
    row("groups that do not divide", "deepseek_v3.json", "expert_groups",
        [](Json& j) { j["config"]["pipeline"]["adjust"]["expert_groups"]["count"] = 5; });
    row("no draws for the noise", "shazeer2017.json", "perturb.noise.draw", [](Json& j) {
      j["inputs"].erase("noise");
      j["config"]["tensors"].erase("noise");
    });
    row("dropout without a role for its draws", "olmoe.json", "whole_expert_dropout",
        [](Json& j) { j["config"]["pipeline"]["perturb"]["whole_expert_dropout"] = 0.1; });
    row("forced experts that are not there", "schedules.json", "select.force.experts", [](Json& j) {
      j["variants"][2]["pipeline"]["select"]["force"]["experts"] = {6, 8};
    });
  }
  void aMisfittingFileIsRefusedByName() {
    QFETCH(std::string, file);
    QFETCH(std::function<void(Json&)>, alter);
    QFETCH(std::string, named);
    const std::string sentence = refusal(file, alter);
    QVERIFY2(names(sentence, named), ("the sentence is: " + sentence).c_str());
  }
  void aTruncatedFileIsRefusedAtAnyLength() {
    std::ifstream file(kFolder / "hash_layer.json");
    std::stringstream text;
    text << file.rdbuf();
    const std::string whole = text.str();
    for (std::size_t i = 0; i < 200; ++i) {
      const std::string part = whole.substr(0, whole.size() * i / 200);
      QVERIFY_EXCEPTION_THROWN(parseGoldenVector(part), Error);
    }
    QVERIFY_EXCEPTION_THROWN(parseGoldenVector("[1]"), Error);
    QVERIFY_EXCEPTION_THROWN(parseGoldenVector(std::string(100000, '[')), Error);
    QVERIFY_EXCEPTION_THROWN(readGoldenVector(kFolder / "not_there.json"), Error);
  }
};
SWITCHYARD_TEST(GoldenVectorTest)
#include "golden_vector_test.moc"
