#include "core/formats/exports.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/base/number_text.h"
#include "core/formats/csv.h"

namespace moe {
namespace {

constexpr std::int64_t kPieceSteps = 256;  // as many as a block of the store has

/// The columns a layer needs over the whole run.
struct LayerWidth {
  std::size_t terms = 0, experts = 0;
};

template <class Visit>
void eachPoint(const RunStore& store, RunId run, Visit visit) {
  const std::int64_t last = store.run(run).steps;
  for (std::int64_t after = 0; after < last; after += kPieceSteps)
    for (const StepPoint& point : store.points(run, after, std::min(after + kPieceSteps, last))) visit(point);
}

/// Empty where it was not measured at this step.
std::string measuredText(float value) { return std::isnan(value) ? std::string() : shortestText(value); }

std::string line(nlohmann::ordered_json json, const char* type) {
  nlohmann::ordered_json typed = {{"type", type}};
  typed.update(json);
  return typed.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// A study is read when its line is due, and only the newest and the one before it stay.
void exportJsonl(const RunStore& store, RunId run, const TextSink& sink) {
  sink(line(toJson(store.run(run)), "run"));
  const std::vector<RunEvent> events = store.events(run);
  const std::vector<std::int64_t> studies = store.studySteps(run);
  const auto newest = studies.empty() ? nullptr : store.study(run, studies.back());
  std::shared_ptr<const RunStudy> before;
  std::size_t event = 0, study = 0;
  const auto sinkStudy = [&] {
    const auto now = store.study(run, studies[study++]);
    if (!now || !newest) return;  // a writer took the run back meanwhile
    std::vector<StudyChange> changes;
    for (std::size_t layer = 0; layer < newest->layers.size(); ++layer)
      changes.push_back(studyChange(before.get(), *now, *newest, layer));
    sink(line(toJson(*now, changes), "study"));
    before = now;
  };
  eachPoint(store, run, [&](const StepPoint& point) {
    while (event < events.size() && events[event].step < point.step) sink(line(toJson(events[event++]), "event"));
    while (study < studies.size() && studies[study] < point.step) sinkStudy();
    sink(line(toJson(point), "point"));
  });
  while (study < studies.size()) sinkStudy();
  while (event < events.size()) sink(line(toJson(events[event++]), "event"));
}

void exportCsv(const RunStore& store, RunId run, const TextSink& sink) {
  std::map<int, LayerWidth> widths;
  eachPoint(store, run, [&](const StepPoint& point) {
    for (const LayerPoint& layer : point.layers) {
      LayerWidth& width = widths[layer.layer];
      width.terms = std::max(width.terms, layer.balance.size());
      width.experts = std::max(width.experts, layer.load.size());
    }
  });
  std::string text = "step";
  for (const MetricRow& row : metricsOfRun())
    if (!row.id.empty()) text += ',' + std::string(row.csv.empty() ? row.id : row.csv);
  for (const auto& [layer, width] : widths) {
    const std::string prefix = layer == kHeadLayer ? std::string(",head_") : ",layer" + std::to_string(layer) + "_";
    for (const MetricRow& row : metricsOfLayers())
      if (!row.id.empty()) text += prefix + std::string(row.csv.empty() ? row.id : row.csv);
    for (std::size_t term = 0; term < width.terms; ++term) text += prefix + "balance" + std::to_string(term);
    for (std::size_t e = 0; e < width.experts; ++e) text += prefix + "expert" + std::to_string(e) + "_load_share";
  }
  sink(text + "\n");
  eachPoint(store, run, [&](const StepPoint& point) {
    text = std::to_string(point.step);
    for (const MetricRow& row : metricsOfRun()) {
      if (row.id.empty()) continue;
      const double value = row.of(point);
      text += ',' + (row.maybeMissing() && std::isnan(value) ? std::string() : shortestText(value));
    }
    auto layer = point.layers.begin();
    for (const auto& [number, width] : widths) {
      const bool there = layer != point.layers.end() && layer->layer == number;
      for (const MetricRow& row : metricsOfLayers())
        if (!row.id.empty())
          text += ',' + (there ? measuredText(static_cast<float>(row.ofLayer(*layer))) : std::string());
      const auto list = [&](std::size_t count, const std::vector<float>* values) {
        for (std::size_t i = 0; i < count; ++i)
          text += ',' + (values != nullptr && i < values->size() ? shortestText((*values)[i]) : std::string());
      };
      list(width.terms, there ? &layer->balance : nullptr);
      list(width.experts, there ? &layer->load : nullptr);
      if (there) ++layer;
    }
    sink(text + "\n");
  });
}

}  // namespace

void exportRun(const RunStore& store, RunId run, ExportFormat format, const TextSink& sink) {
  format == ExportFormat::csv ? exportCsv(store, run, sink) : exportJsonl(store, run, sink);
}

void exportRuns(const RunStore& store, ExportFormat format, const TextSink& sink) {
  if (format == ExportFormat::csv)
    sink(
        "run,name,preset,state,steps,target_steps,train_loss_nats_per_token,validation_loss_nats_per_token,total_"
        "parameters,"
        "active_parameters,alerts,seed,created,parent,parent_step,note\n");
  for (const RunSummary& run : store.runs()) {
    if (format == ExportFormat::jsonl) {
      sink(line(toJson(run), "run"));
      continue;
    }
    std::string text = std::to_string(run.id);
    for (const std::string& field :
         {csvField(run.name), csvField(run.preset), std::string(nameOf(run.state)), std::to_string(run.steps),
          std::to_string(run.targetSteps), run.trainLoss ? shortestText(*run.trainLoss) : "",
          run.validationLoss ? shortestText(*run.validationLoss) : "", std::to_string(run.totalParameters),
          std::to_string(run.activeParameters), std::to_string(run.alerts), std::to_string(run.seed), run.created,
          std::to_string(run.parent), std::to_string(run.parentStep), csvField(run.note)})
      text += ',' + field;
    sink(text + "\n");
  }
}

}  // namespace moe
