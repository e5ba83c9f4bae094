#pragma once
#include <string>
#include <vector>

#include "core/config/rows.h"
#include "core/train/run_config.h"

namespace moe {

/// Every setting of a run but its recipe, with paths from the top ("train.steps", "model.width", "seed").
const SettingRows<RunConfig>& runRows();

/// What is not routing, in the same form as the routing stages: model, data, training, alerts. Words that cannot be
/// chosen on this machine say why; the first call opens the backends' modules.
const std::vector<SettingSection>& runSections();

/// A setting and its whole path; in a list "balance.N.coefficient".
struct NamedSetting {
  std::string path;
  const Setting* setting;
};
/// All there are: the recipe's in the order of its stages, then the rest. At `path` alone, or below it, where one is
/// given ("select.k", "select", "balance", "balance.0.kind").
std::vector<NamedSetting> settingsAt(std::string_view path = {});

/// What is said of the setting at a dotted path ("select.k", "balance.0.coefficient", "train.steps"). Null where there
/// is none.
const Setting* findSetting(std::string_view path);

/// Whether a setting means anything as the others stand: no sigma without noise. It is hidden while it does not.
bool matters(const RunConfig& config, std::string_view path);

}  // namespace moe
