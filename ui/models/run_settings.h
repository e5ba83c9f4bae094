#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/router/stages.h"
#include "core/train/run_config.h"

namespace moe::ui {

/// What is not routing, in the same form as the routing stages: model, data, training, alerts.
const std::vector<StageInfo>& runSections();

/// Dotted path of every setting that the screen shows for this configuration, one set a balance term.
std::vector<std::string> settingPaths(const RunConfig& config);

/// The row of a setting's table; null where no table has it.
const StageSetting* settingAt(const std::string& path);
/// Whether a number may be left empty: no limit.
bool mayBeNone(const std::string& path);

/// Whether a setting means anything as the others stand: no sigma without noise. It is hidden while it does not.
/// `value` gives a setting's JSON text.
bool matters(const std::function<std::string(const std::string&)>& value, const std::string& path);

/// The part a setting belongs to, null where it is always there.
const StagePart* partOf(const StageInfo& stage, std::string_view path);

}  // namespace moe::ui
