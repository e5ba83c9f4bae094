#include "core/golden/golden_vector.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/atomic_file.h"
#include "core/base/checked_math.h"
#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/router/recipe_json.h"

namespace moe {

namespace {

using Json = nlohmann::json;

constexpr std::int64_t kLargestFile = 256LL << 20;
constexpr double kLargestInteger = 9007199254740992.0;  // 2^53

const Json& member(const Json& object, const std::string& where, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) failGolden(where.empty() ? key : where + "." + key, "expected this field, found none");
  return *found;
}

void requireObject(const Json& json, const std::string& where) {
  if (!json.is_object()) failGolden(where, std::string("expected an object, found ") + json.type_name());
}

void refuseOthers(const Json& object, const std::string& where, const std::set<std::string>& known) {
  for (const auto& [key, value] : object.items())
    if (!known.contains(key)) failGolden(where.empty() ? key : where + "." + key, "this field is not known");
}

std::string text(const Json& json, const std::string& where) {
  if (!json.is_string()) failGolden(where, std::string("expected a string, found ") + json.type_name());
  return json.get<std::string>();
}

std::int64_t wholeNumber(const Json& json, const std::string& where) {
  if (!json.is_number_integer()) failGolden(where, "expected an integer, found " + std::string(json.type_name()));
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestInteger))
    failGolden(where, "expected an integer below 2^53, found " + json.dump());
  const auto value = json.get<std::int64_t>();
  if (std::abs(static_cast<double>(value)) > kLargestInteger)
    failGolden(where, "expected an integer below 2^53, found " + json.dump());
  return value;
}

std::int64_t positive(const Json& json, const std::string& where) {
  const std::int64_t value = wholeNumber(json, where);
  if (value < 1) failGolden(where, "expected 1 or more, found " + json.dump());
  return value;
}

double finite(const Json& json, const std::string& where) {
  if (!json.is_number()) failGolden(where, std::string("expected a number, found ") + json.type_name());
  const auto value = json.get<double>();
  if (!std::isfinite(value)) failGolden(where, "expected a finite number");
  return value;
}

GoldenTensor readNumber(const Json& json, const std::string& where) {
  return {GoldenTensor::Type::number, {}, {finite(json, where)}};
}

GoldenTensor readTensor(const Json& json, const std::string& where) {
  requireObject(json, where);
  refuseOthers(json, where, {"dtype", "shape", "data"});
  GoldenTensor out;
  const std::string dtype = text(member(json, where, "dtype"), where + ".dtype");
  if (dtype == "float64")
    out.type = GoldenTensor::Type::f64;
  else if (dtype == "int64")
    out.type = GoldenTensor::Type::i64;
  else if (dtype == "bool")
    out.type = GoldenTensor::Type::boolean;
  else
    failGolden(where + ".dtype", "expected float64, int64 or bool, found \"" + dtype + "\"");
  const Json &shape = member(json, where, "shape"), &data = member(json, where, "data");
  if (!shape.is_array() || shape.empty() || shape.size() > 4)
    failGolden(where + ".shape", "expected a list of 1 to 4 extents");
  if (!data.is_array()) failGolden(where + ".data", std::string("expected a list, found ") + data.type_name());
  std::int64_t elements = 1;
  for (const Json& extent : shape) {
    out.shape.push_back(wholeNumber(extent, where + ".shape"));
    if (out.shape.back() < 1) failGolden(where + ".shape", "expected extents of at least 1, found " + shape.dump());
    const auto product = checkedMultiply(elements, out.shape.back());
    if (!product) failGolden(where + ".shape", "expected extents that fit memory, found " + shape.dump());
    elements = *product;
  }
  if (static_cast<std::uint64_t>(elements) != data.size())
    failGolden(where + ".data", "expected " + std::to_string(elements) + " numbers for shape " + shape.dump() +
                                    ", found " + std::to_string(data.size()));
  out.data.reserve(data.size());
  for (const Json& number : data) {
    const bool real = out.type == GoldenTensor::Type::f64;
    const double value =
        real ? finite(number, where + ".data") : static_cast<double>(wholeNumber(number, where + ".data"));
    if (out.type == GoldenTensor::Type::boolean && value != 0 && value != 1)
      failGolden(where + ".data", "expected 0 or 1 in a bool tensor, found " + number.dump());
    out.data.push_back(value);
  }
  return out;
}

bool isTensor(const Json& json) {
  return json.is_object() && (json.contains("dtype") || json.contains("shape") || json.contains("data"));
}

void readExpected(std::vector<GoldenExpected>& out, std::vector<std::string> path, const Json& json,
                  const std::string& where) {
  if (!json.is_object() || isTensor(json)) {
    out.push_back({std::move(path), json.is_object() ? readTensor(json, where) : readNumber(json, where)});
    return;
  }
  if (path.size() >= 3) failGolden(where, "expected a tensor or a number, found an object");
  static const std::set<std::string> groups{"losses", "unscaled", "grad_total", "grad_output_term", "grad_unscaled"};
  const std::size_t depth = path.empty()                      ? 0
                            : !groups.contains(path.front())  ? 0
                            : path.front() == "grad_unscaled" ? 2
                                                              : 1;
  if (json.empty() && path.size() > depth) failGolden(where, "expected a tensor or a number, found an empty object");
  for (const auto& [key, value] : json.items()) {
    std::vector<std::string> longer = path;
    longer.push_back(key);
    readExpected(out, std::move(longer), value, where + "." + key);
  }
}

/// The recipe's keys that have no default: in a file, what they decide must be said.
void requireDecided(GoldenVector::Kind kind, const Recipe& recipe, const Json& pipeline, const std::string& where) {
  const bool layer = kind == GoldenVector::Kind::layer;
  // An absent part is an empty object: then its first key is what is missing.
  const auto require = [&](bool wanted, std::vector<std::string> parts, std::initializer_list<const char*> keys) {
    if (!wanted) return;
    Json object = pipeline;
    std::string path = where;
    for (const std::string& part : parts) {
      object = object.value(part, Json::object());
      path += "." + part;
    }
    for (const char* key : keys) member(object, path, key);
  };
  require(layer, {"experts"}, {"kind"});
  require(layer && recipe.experts.kind != ExpertKind::linear, {"experts"}, {"hidden"});
  require(recipe.adjust.selectionBias.has_value(), {"adjust", "selection_bias"}, {"rate"});
  require(recipe.adjust.expertGroups.has_value(), {"adjust", "expert_groups"}, {"count", "keep", "by"});
  require(recipe.select.kind == Recipe::Select::Kind::topK, {"select"}, {"k"});
  require(recipe.select.kind == Recipe::Select::Kind::topP, {"select"}, {"p"});
  require(recipe.combine.shared.has_value(), {"combine", "shared"}, {"hidden"});
  require(recipe.combine.denseResidual.has_value(), {"combine", "dense_residual"}, {"hidden"});
  const auto requireEach = [&](const Json& object, const std::string& list, std::initializer_list<const char*> keys) {
    const Json terms = object.value(list.substr(list.find('.') + 1), Json::array());
    for (std::size_t i = 0; i < terms.size(); ++i)
      for (const char* key : keys) member(terms[i], where + "." + list + "." + std::to_string(i), key);
  };
  requireEach(pipeline, "balance", {"name", "kind"});
  requireEach(pipeline.value("head", Json::object()), "head.losses", {"name", "form"});
}

GoldenCase readCase(GoldenVector::Kind kind, const std::string& name, const Json& pipeline, const Json& expected,
                    const std::string& where) {
  GoldenCase out;
  out.name = name;
  const std::string recipe = where.empty() ? "config.pipeline" : where + ".pipeline";
  requireObject(pipeline, recipe);
  out.recipe = recipeFromJson(pipeline, recipe);
  requireDecided(kind, out.recipe, pipeline, recipe);
  const std::string fields = where.empty() ? "expected" : where + ".expected";
  requireObject(expected, fields);
  readExpected(out.expected, {}, expected, fields);
  if (out.expected.empty()) failGolden(fields, "expected at least one field, found none");
  return out;
}

void readConfig(GoldenVector& out, const Json& config) {
  requireObject(config, "config");
  for (const auto& [key, value] : config.items()) {
    if (key == "pipeline" || key == "tensors") continue;
    // Every other entry is a number for people to read; the reader uses two.
    if (!value.is_number() && !value.is_null())
      failGolden("config." + key, std::string("expected a number, found ") + value.type_name());
    if (key == "vocabulary") out.vocabulary = positive(value, "config.vocabulary");
    if (key == "domains") out.domains = positive(value, "config.domains");
  }
}

void readInputs(GoldenVector& out, const Json& inputs, const Json& roles) {
  requireObject(inputs, "inputs");
  requireObject(roles, "config.tensors");
  for (const auto& [name, role] : roles.items())
    if (!inputs.contains(name)) failGolden("inputs." + name, "config.tensors gives it a role, but it is missing");
  std::set<std::string> taken;
  for (const auto& [name, json] : inputs.items()) {
    const auto role = roles.find(name);
    if (role == roles.end()) failGolden("config.tensors." + name, "expected a role for this input, found none");
    GoldenInput input;
    input.name = name;
    input.role = text(*role, "config.tensors." + name);
    if (!taken.insert(input.role).second)
      failGolden("config.tensors." + name, "another input has the role \"" + input.role + "\" already");
    input.tensor = json.is_object() ? readTensor(json, "inputs." + name) : readNumber(json, "inputs." + name);
    out.inputs.push_back(std::move(input));
  }
}

GoldenVector::Kind readKind(const Json& json) {
  const std::string kind = text(json, "kind");
  if (kind == "layer") return GoldenVector::Kind::layer;
  if (kind == "stages") return GoldenVector::Kind::stages;
  if (kind == "metrics") return GoldenVector::Kind::metrics;
  if (kind == "schedule") return GoldenVector::Kind::schedule;
  failGolden("kind", "expected layer, stages, metrics or schedule, found \"" + kind + "\"");
}

}  // namespace

void failGolden(const std::string& where, const std::string& sentence) {
  throw Error("golden", where + ": " + sentence);
}

std::string GoldenExpected::text() const {
  std::string joined;
  for (const std::string& part : path) joined += (joined.empty() ? "" : ".") + part;
  return joined;
}

const GoldenTensor* GoldenVector::find(std::string_view role) const {
  const auto found =
      std::find_if(inputs.begin(), inputs.end(), [&](const GoldenInput& input) { return input.role == role; });
  return found == inputs.end() ? nullptr : &found->tensor;
}

GoldenVector parseGoldenVector(std::string_view source) {
  std::string problem;
  const Json json = parseStrictJson(source, kDeepestJson, problem);
  if (!problem.empty()) failGolden("the file", problem);
  requireObject(json, "the file");
  refuseOthers(json, "", {"system", "kind", "config", "inputs", "expected", "variants"});
  GoldenVector out;
  out.system = text(member(json, "", "system"), "system");
  out.kind = readKind(member(json, "", "kind"));
  const Json& config = member(json, "", "config");
  readConfig(out, config);
  readInputs(out, member(json, "", "inputs"), member(config, "config", "tensors"));
  if (!json.contains("variants")) {
    out.cases.push_back(readCase(out.kind, "", member(config, "config", "pipeline"), member(json, "", "expected"), ""));
    return out;
  }
  if (json.contains("expected")) failGolden("expected", "variants take its place, but the file has both");
  if (config.contains("pipeline")) failGolden("config.pipeline", "variants take its place, but the file has both");
  const Json& variants = json["variants"];
  if (!variants.is_array() || variants.empty()) failGolden("variants", "expected a list of at least one variant");
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const std::string where = "variants." + std::to_string(i);
    requireObject(variants[i], where);
    refuseOthers(variants[i], where, {"name", "pipeline", "expected"});
    out.cases.push_back(readCase(out.kind, text(member(variants[i], where, "name"), where + ".name"),
                                 member(variants[i], where, "pipeline"), member(variants[i], where, "expected"),
                                 where));
  }
  return out;
}

GoldenVector readGoldenVector(const std::filesystem::path& path) {
  return parseGoldenVector(readFile("golden", path, kLargestFile));
}

}  // namespace moe
