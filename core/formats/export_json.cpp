#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/base/number_text.h"
#include "core/base/utf8.h"
#include "core/formats/exports.h"
#include "core/telemetry/event_kind.h"

namespace moe {
namespace {

using Json = nlohmann::ordered_json;

/// As the f32 was: 0.1 and not 0.10000000149.
Json number(float value) {
  if (!std::isfinite(value)) return nullptr;
  return numberIn(shortestText(value));
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json numbers(const std::vector<float>& values) {
  Json list = Json::array();
  for (const float value : values) list.push_back(number(value));
  return list;
}

/// Its index; "head" for a mixture head, which has none.
Json layerNumber(int layer) { return layer == kHeadLayer ? Json("head") : Json(layer); }

}  // namespace

Json toJson(const RunSummary& run) {
  Json json = {{"run", run.id},
               {"name", run.name},
               {"note", run.note},
               {"preset", run.preset},
               {"seed", run.seed},
               {"created", run.created},
               {"parent", run.parent},
               {"parent_step", run.parentStep},
               {"state", std::string(nameOf(run.state))},
               {"steps", run.steps},
               {"target_steps", run.targetSteps}};
  json["train_loss"] = run.trainLoss ? number(*run.trainLoss) : Json(nullptr);
  json["val_loss"] = run.validationLoss ? number(*run.validationLoss) : Json(nullptr);
  json["validated_tokens"] = run.validatedTokens;
  json["held_out_tokens"] = run.heldOutTokens;
  json["total_parameters"] = run.totalParameters;
  json["active_parameters"] = run.activeParameters;
  json["alerts"] = run.alerts;
  std::string problem;
  const nlohmann::json config = parseStrictJson(run.config, kDeepestJson, problem);
  json["config"] = problem.empty() ? Json(config) : Json(run.config);
  return json;
}

Json toJson(const RunEvent& event) {
  Json json = {{"step", event.step}, {"kind", std::string(nameOf(event.kind))}};
  if (!event.path.empty()) json["path"] = event.path, json["old"] = event.oldValue, json["new"] = event.newValue;
  if (event.layer >= 0) json["layer"] = layerNumber(event.layer);
  if (event.expert >= 0) json["expert"] = event.expert, json["utilization"] = number(event.utilization);
  json["text"] = event.text;
  return json;
}

Json toJson(const StepPoint& point) {
  Json json = {{"step", point.step}};
  for (const MetricRow& row : metricsOfRun())
    if (const double value = row.of(point); !row.id.empty() && !(row.maybeMissing() && std::isnan(value)))
      json[row.id] = number(value);
  if (!point.balance.empty()) json["balance"] = numbers(point.balance);
  json["layers"] = Json::array();
  for (const LayerPoint& layer : point.layers) {
    Json at = {{"layer", layerNumber(layer.layer)}};
    for (const MetricRow& row : metricsOfLayers())
      if (!row.id.empty()) at[row.id] = number(static_cast<float>(row.ofLayer(layer)));
    at["balance"] = numbers(layer.balance);
    if (!layer.termGradient.empty()) at["term_gradient"] = numbers(layer.termGradient);
    at["load"] = numbers(layer.load);
    json["layers"].push_back(std::move(at));
  }
  return json;
}

Json toJson(const RunStudy& study, const std::vector<StudyChange>& changes) {
  const auto optional = [](const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); };
  // JSON's strings are UTF-8; other names are shown.
  std::vector<std::string> domains = study.domains;
  for (std::string& name : domains)
    if (firstInvalidUtf8(name)) name = shownName(name);
  Json json = {{"step", study.step},
               {"tokens", study.tokens},
               {"domains", std::move(domains)},
               {"domain_tokens", study.domainTokens}};
  json["max_vio_global"] = optional(study.maxVioGlobal());
  json["layers"] = Json::array();
  for (std::size_t i = 0; i < study.layers.size(); ++i) {
    const LayerStudy& layer = study.layers[i];
    const StudyChange change = i < changes.size() ? changes[i] : StudyChange{};
    Json at = {{"layer", layerNumber(layer.layer)}, {"experts", layer.experts}};
    at["max_vio_global"] = number(layer.maxVioGlobal);
    at["saturation"] = optional(change.saturation);
    at["churn"] = optional(change.churn);
    at["input_specialisation"] = number(layer.inputSpecialisation);
    at["next_specialisation"] = number(layer.nextSpecialisation);
    at["predicted_specialisation"] = number(layer.predictedSpecialisation);
    if (layer.listed.size() < static_cast<std::size_t>(layer.experts))
      at["listed_experts"] = layer.listed;  // of the tables below
    at["coactivation"] = numbers(layer.coactivation);
    at["domain_shares"] = numbers(layer.domains);
    json["layers"].push_back(std::move(at));
  }
  return json;
}

Json toJson(const CheckpointRow& checkpoint) {
  return {{"step", checkpoint.step},
          {"path", checkpoint.path},
          {"healthy", checkpoint.healthy},
          {"pinned", checkpoint.pinned},
          {"bytes", checkpoint.bytes}};
}

}  // namespace moe
