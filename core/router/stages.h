#pragma once
#include <string_view>
#include <vector>

#include "core/config/setting.h"

namespace moe {

/// The stages in the order a token passes them: logits, perturb, score, adjust, select, weigh, capacity, experts,
/// combine, balance. A stage's id is the recipe's key; the first setting that is a choice names what its card displays;
/// the settings of balance are those of a term, with paths relative to it ("coefficient").
const std::vector<SettingSection>& stages();

/// Null where no stage has this id.
const SettingSection* findStage(std::string_view id);

}  // namespace moe
