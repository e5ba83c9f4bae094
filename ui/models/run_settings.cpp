#include "ui/models/run_settings.h"

#include "core/router/stages.h"

namespace moe::ui {

std::vector<std::string> settingPaths(const RunConfig& config) {
  std::vector<std::string> paths{"data.source"};
  for (const std::vector<SettingSection>* group : {&stages(), &runSections()})
    for (const SettingSection& section : *group)
      if (section.id != "balance")
        for (const Setting& setting : section.settings) paths.emplace_back(setting.path);
  if (!config.model.layers.empty())
    for (std::size_t i = 0; i < config.model.layers.front().recipe.balance.size(); ++i)
      for (const Setting& setting : findStage("balance")->settings)
        paths.push_back("balance." + std::to_string(i) + '.' + std::string(setting.path));
  return paths;
}

}  // namespace moe::ui
