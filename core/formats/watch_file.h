#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/telemetry/load_window.h"

namespace moe {

/// The watched loads of a checkpoint. Shares are the hexadecimal bits of their floats, eight digits each, so that they
/// come back exactly and short.
nlohmann::json toJson(const WatchState& watch);
/// Throws Error(tag) naming the path of what is missing or wrong.
WatchState watchFromJson(const nlohmann::json& json, const std::string& tag, const std::string& path);

}  // namespace moe
