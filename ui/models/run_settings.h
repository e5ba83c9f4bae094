#pragma once
#include <string>
#include <vector>

#include "core/train/run_rows.h"

namespace moe::ui {

/// Dotted path of every setting that the screen shows for this configuration, one set a balance term.
std::vector<std::string> settingPaths(const RunConfig& config);

}  // namespace moe::ui
