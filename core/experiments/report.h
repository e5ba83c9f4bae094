#pragma once
#include <span>
#include <string>

#include "core/experiments/verdict.h"

namespace moe {

/// Where and how the numbers of a report were made.
struct ReportOrigin {
  std::string command, machine, date;
};

/// The table of what was claimed, expected and measured, as Markdown.
std::string reportOf(std::span<const Outcome> outcomes, const ReportOrigin& origin);

/// How one trains an arm by hand, without its seed.
std::string commandOf(const Experiment& experiment, const Arm& arm);

}  // namespace moe
