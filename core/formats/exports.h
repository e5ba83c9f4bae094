#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/store/run_store.h"

namespace moe {

enum class ExportFormat { csv, jsonl };

/// Takes the text in pieces, in order.
using TextSink = std::function<void(std::string_view)>;

/// One run for other programs, in pieces of a few thousand steps.
///   csv:   a header line, then a line a step: step, train_loss_nats_per_token, ..., then for each expert layer N its
///          metrics as layerN_max_vio, ... and layerN_expertE_load_share. An absent value is an empty field.
///   jsonl: {"type":"run", ...}, then {"type":"event", ...}, {"type":"study", ...} and {"type":"point", ...} lines in
///          order of step.
void exportRun(const RunStore& store, RunId run, ExportFormat format, const TextSink& sink);

/// All runs as a table: a header line and a line a run (csv), or a {"type":"run", ...} line each (jsonl).
void exportRuns(const RunStore& store, ExportFormat format, const TextSink& sink);

// One value as JSON, as the jsonl lines have it but without "type". Numbers that are none become null.
nlohmann::ordered_json toJson(const RunSummary& run);
nlohmann::ordered_json toJson(const RunEvent& event);
nlohmann::ordered_json toJson(const StepPoint& point);
nlohmann::ordered_json toJson(const CheckpointRow& checkpoint);
/// Without the selections themselves; `changes`: one a layer, as studyChanges gives them.
nlohmann::ordered_json toJson(const RunStudy& study, const std::vector<StudyChange>& changes);

}  // namespace moe
