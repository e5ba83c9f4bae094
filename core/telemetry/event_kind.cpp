#include "core/telemetry/event_kind.h"

#include <iterator>

namespace moe {
namespace {

// In RunEvent::Kind's order.
constexpr std::string_view kNames[] = {"knob",     "undo",    "alertRaised", "alertCleared", "started",
                                       "paused",   "resumed", "restored",    "checkpoint",   "notFinite",
                                       "finished", "forked",  "note",        "failed"};
static_assert(std::size(kNames) == static_cast<std::size_t>(RunEvent::Kind::failed) + 1);

}  // namespace

std::string_view nameOf(RunEvent::Kind kind) { return kNames[static_cast<int>(kind)]; }

std::optional<RunEvent::Kind> eventKindOf(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == name) return static_cast<RunEvent::Kind>(i);
  return std::nullopt;
}

}  // namespace moe
