#pragma once
// The tables behind stages(): one function a stage. Words are those of recipe_names.h; a test holds the two together.
#include "core/router/stages.h"

namespace moe {

StageInfo logitsTable();
StageInfo perturbTable();
StageInfo scoreTable();
StageInfo adjustTable();
StageInfo selectTable();
StageInfo weighTable();
StageInfo capacityTable();
StageInfo expertsTable();
StageInfo combineTable();
StageInfo balanceTable();

inline StageSetting choice(std::string_view path, std::string_view label, std::string_view tooltip,
                           std::vector<StageOption> options) {
  return {.path = path, .label = label, .kind = SettingKind::choice, .tooltip = tooltip, .options = std::move(options)};
}
inline StageSetting toggle(std::string_view path, std::string_view label, std::string_view formula,
                           std::string_view tooltip) {
  return {.path = path, .label = label, .kind = SettingKind::boolean, .formula = formula, .tooltip = tooltip};
}

}  // namespace moe
