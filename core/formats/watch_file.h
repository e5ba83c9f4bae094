#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/telemetry/load_window.h"

namespace moe {

// The watch of a checkpoint. What is short stands in its state.json; the loads of the alerts' window, which grow with
// window x layers x experts, are a safetensors file of their own: "step" (S) and for each expert layer N
// "layers.N.assignments" (S) f64 and "layers.N.share" (S, E) f32, so that they come back exactly.

/// Alerts and restarts; without the loads.
nlohmann::json toJson(const WatchState& watch);
/// Loads too, where they stand in it as older programs wrote them. Throws Error(tag) naming the path of what is missing or wrong.
WatchState watchFromJson(const nlohmann::json& json, const std::string& tag, const std::string& path);

/// Returns the bytes written. Steps before a change of layers or experts are left out: nothing looks back over it.
std::int64_t writeLoads(const std::string& tag, const std::filesystem::path& path, const std::vector<StepLoads>& loads);
/// Throws Error(tag), and Error("safetensors") of what is none.
std::vector<StepLoads> readLoads(const std::string& tag, const std::filesystem::path& path);

}  // namespace moe
