#include "core/router/stages.h"

#include <algorithm>
#include <cctype>

#include "core/router/stage_tables.h"

namespace moe {

const std::vector<StageInfo>& stages() {
  static const std::vector<StageInfo> all = {logitsTable(),  perturbTable(), scoreTable(),    adjustTable(),
                                             selectTable(),  weighTable(),   capacityTable(), expertsTable(),
                                             combineTable(), balanceTable()};
  return all;
}

const StageInfo* findStage(std::string_view id) {
  const auto found = std::find_if(stages().begin(), stages().end(), [&](const StageInfo& s) { return s.id == id; });
  return found == stages().end() ? nullptr : &*found;
}

const StageSetting* findSetting(std::string_view path) {
  const StageInfo* stage = findStage(path.substr(0, path.find('.')));
  if (!stage) return nullptr;
  if (stage->id == "balance") {
    // balance.INDEX.key: the table names the key alone.
    const std::size_t first = path.find('.'), second = path.find('.', first + 1);
    if (first == path.npos || second == path.npos || second == first + 1) return nullptr;
    const std::string_view index = path.substr(first + 1, second - first - 1);
    if (!std::all_of(index.begin(), index.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) return nullptr;
    path = path.substr(second + 1);
  }
  const auto found = std::find_if(stage->settings.begin(), stage->settings.end(),
                                  [&](const StageSetting& s) { return s.path == path; });
  return found == stage->settings.end() ? nullptr : &*found;
}

}  // namespace moe
