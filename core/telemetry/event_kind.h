#pragma once
#include <optional>
#include <string_view>

#include "core/telemetry/points.h"

namespace moe {

/// The word of a kind in files and on the command line ("alertRaised"): part of the file format.
std::string_view nameOf(RunEvent::Kind kind);
std::optional<RunEvent::Kind> eventKindOf(std::string_view name);

}  // namespace moe
