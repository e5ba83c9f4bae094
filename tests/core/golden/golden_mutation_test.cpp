#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/backend/reference/reference_backend.h"
#include "core/base/error.h"
#include "core/golden/verify_routing.h"
#include "core/tensor/philox.h"
#include "tests/support/register.h"

using namespace moe;
using Json = nlohmann::json;

namespace {

const std::filesystem::path kFolder = SWITCHYARD_SOURCE_DIR "/tests/golden";

Json load(const std::string& name) { return Json::parse(std::ifstream(kFolder / name)); }

/// Neither refused nor failed: the file's alteration went unnoticed.
bool passes(const Json& json) {
  ReferenceBackend backend(DType::f64);
  try {
    return verifyRouting(backend, parseGoldenVector(json.dump()), "altered").passed;
  } catch (const Error&) { return false; }
}

/// Moves one entry of a field as little as it may not move.
void nudge(Json& field, const std::string& name, std::uint32_t seed) {
  // An objective is compared relative to the sum of its parts' sizes, which stands in no file: thousands at most.
  const double share = name.starts_with("objective") ? 1e-4 : 1e-8;
  if (field.is_number()) {
    field = field.is_number_integer()
                ? Json(field.get<std::int64_t>() + 1)
                : Json(field.get<double>() + share * std::max(1.0, std::abs(field.get<double>())));
    return;
  }
  Json& data = field["data"];
  const std::size_t at = static_cast<std::size_t>(uniformAt({.seed = seed}, 0, 0) * static_cast<double>(data.size()));
  if (field["dtype"] == "bool") {
    data[at] = 1 - data[at].get<int>();
  } else if (field["dtype"] == "int64") {
    data[at] = data[at].get<std::int64_t>() + 1;
  } else {
    double largest = 1;
    for (const Json& value : data) largest = std::max(largest, std::abs(value.get<double>()));
    data[at] = data[at].get<double>() + share * largest;
  }
}

/// Nudges every field below `at` and collects their names.
void nudgeAll(Json& at, const std::string& prefix, const std::string& path, std::set<std::string>& names) {
  if (at.is_object() && !at.contains("data")) {
    for (auto& [key, value] : at.items()) nudgeAll(value, prefix, path.empty() ? key : path + "." + key, names);
    return;
  }
  names.insert(prefix + path);
  nudge(at, path, static_cast<std::uint32_t>(names.size()));
}

}  // namespace

/// Files that are wrong in one place: none goes unnoticed.
class GoldenMutationTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyFieldOfEveryFileIsCompared_data() {
    QTest::addColumn<QString>("file");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kFolder))
      if (entry.path().extension() == ".json")
        QTest::newRow(entry.path().stem().c_str())
            << QString::fromStdString(entry.path().lexically_relative(kFolder).string());
  }
  void everyFieldOfEveryFileIsCompared() {
    QFETCH(QString, file);
    Json json = load(file.toStdString());
    std::set<std::string> altered, found;
    if (json.contains("variants"))
      for (Json& variant : json["variants"])
        nudgeAll(variant["expected"], variant["name"].get<std::string>() + "/", "", altered);
    else
      nudgeAll(json["expected"], "", "", altered);
    ReferenceBackend backend(DType::f64);
    const VerifyResult result = verifyRouting(backend, parseGoldenVector(json.dump()), "altered");
    for (const VerifyFailure& failure : result.failures) found.insert(failure.field);
    for (const std::string& field : altered) QVERIFY2(found.contains(field), field.c_str());
    QCOMPARE(found.size(), altered.size());
    QCOMPARE(static_cast<std::size_t>(result.fields), altered.size());
  }

  void everyInputIsNeededInItsShapeAndType_data() {
    QTest::addColumn<QString>("file");
    for (const char* file : {"deepseek_v3", "shazeer2017", "gpt_oss", "switch", "schedules", "health_metrics"})
      QTest::newRow(file) << QString(file) + ".json";
  }
  void everyInputIsNeededInItsShapeAndType() {
    QFETCH(QString, file);
    const Json whole = load(file.toStdString());
    const auto unnoticed = [&](const std::string& name, const char* what, const auto& alter) {
      Json json = whole;
      alter(json);
      if (passes(json)) qWarning("%s: %s", name.c_str(), what);
      return passes(json);
    };
    for (const auto& [name, input] : whole["inputs"].items()) {
      const std::string& key = name;
      QVERIFY(!unnoticed(key, "left out", [&](Json& j) { j["inputs"].erase(key), j["config"]["tensors"].erase(key); }));
      QVERIFY(!unnoticed(key, "no role", [&](Json& j) { j["config"]["tensors"].erase(key); }));
      QVERIFY(!unnoticed(key, "unknown role", [&](Json& j) { j["config"]["tensors"][key] = "x.y"; }));
      if (!input.is_object()) continue;
      const std::size_t rows = input["shape"][0], row = input["data"].size() / rows;
      QVERIFY(!unnoticed(key, "one dimension more", [&](Json& j) {
        Json& shape = j["inputs"][key]["shape"];
        shape.insert(shape.begin(), 1);
      }));
      if (rows > 1)
        QVERIFY(!unnoticed(key, "a row less", [&](Json& j) {
          Json& tensor = j["inputs"][key];
          tensor["shape"][0] = rows - 1;
          tensor["data"].erase(tensor["data"].end() - static_cast<std::ptrdiff_t>(row), tensor["data"].end());
        }));
      if (input["shape"].size() > 1)
        QVERIFY(!unnoticed(key, "flat", [&](Json& j) { j["inputs"][key]["shape"] = {input["data"].size()}; }));
      QVERIFY(!unnoticed(key, "another type", [&](Json& j) {
        Json& tensor = j["inputs"][key];
        if (tensor["dtype"] != "float64") {
          tensor["dtype"] = "float64";
          return;
        }
        tensor["dtype"] = "int64";
        for (Json& value : tensor["data"]) value = 0;
      }));
    }
  }
  void everyWordAndNumberOfTheRecipeIsRead() {
    // Numbers that may be altered without an effect on what this file expects.
    const std::set<std::string> silent = {"/weigh/epsilon", "/adjust/selection_bias/rate"};
    const Json whole = load("deepseek_v3.json");
    const Json flat = whole["config"]["pipeline"].flatten();
    for (const auto& [path, value] : flat.items()) {
      Json json = whole;
      Json& at = json["config"]["pipeline"][Json::json_pointer(path)];
      if (value.is_string() && path.ends_with("/name")) continue;  // renamed in both places it would be the same file
      if (value.is_string())
        at = "nonsense";
      else if (value.is_boolean())
        at = !value.get<bool>();
      else
        at = value.is_number_integer() ? Json(value.get<int>() + 1) : Json(value.get<double>() + 0.5);
      QVERIFY2(silent.contains(path) || !passes(json), path.c_str());
      json = whole;
      json["config"]["pipeline"][Json::json_pointer(path)] = Json::array({Json::object()});
      QVERIFY2(!passes(json), path.c_str());
    }
  }
};
SWITCHYARD_TEST(GoldenMutationTest)
#include "golden_mutation_test.moc"
