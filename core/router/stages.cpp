#include "core/router/stages.h"

#include <algorithm>

#include "core/router/recipe_rows.h"

namespace moe {

const std::vector<SettingSection>& stages() {
  static const std::vector<SettingSection> all = {
      logitsRows().section(),  perturbRows().section(), scoreRows().section(),    adjustRows().section(),
      selectRows().section(),  weighRows().section(),   capacityRows().section(), expertsRows().section(),
      combineRows().section(), balanceRows().section()};
  return all;
}

const SettingSection* findStage(std::string_view id) {
  const auto found = std::ranges::find(stages(), id, &SettingSection::id);
  return found == stages().end() ? nullptr : &*found;
}

}  // namespace moe
