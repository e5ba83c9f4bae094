#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/json_lines.h"
#include "core/base/error.h"
#include "core/train/run_rows.h"

namespace moe::cli {

namespace {

const char* typeOf(SettingKind kind) {
  switch (kind) {
    case SettingKind::choice: return "choice";
    case SettingKind::number: return "number";
    case SettingKind::integer: return "integer";
    case SettingKind::boolean: return "boolean";
    case SettingKind::integerList: return "integers";
    case SettingKind::text: return "text";
  }
  return "";
}

nlohmann::json jsonOf(const NamedSetting& named) {
  const Setting& setting = *named.setting;
  nlohmann::json row = {{"path", named.path}, {"type", typeOf(setting.kind)}, {"live", setting.changesLive}};
  if (!expectedOf(setting).empty()) {
    row["minimum"] = setting.minimum;
    row["maximum"] = setting.maximum;
  }
  for (const SettingWord& word : setting.words) row["words"].push_back(word.id);
  if (!setting.standard.empty()) row["default"] = nlohmann::json::parse(setting.standard);
  for (const auto& [key, text] : {std::pair{"label", setting.label}, std::pair{"tooltip", setting.tooltip},
                                  std::pair{"formula", setting.formula}})
    if (!text.empty()) row[key] = text;
  return row;
}

void print(const NamedSetting& named) {
  const Setting& setting = *named.setting;
  std::string takes = expectedOf(setting);
  std::vector<std::string_view> words;
  for (const SettingWord& word : setting.words) words.push_back(word.id);
  takes += joinedWords(words);
  if (takes.empty()) takes = setting.kind == SettingKind::boolean ? "true, false" : "a text";
  std::printf("%-40s %s%s%s%s\n", named.path.c_str(), takes.c_str(), setting.standard.empty() ? "" : "; default ",
              setting.standard.c_str(), setting.changesLive ? "; live" : "");
  if (!setting.tooltip.empty())
    std::printf("%-40s %.*s\n", "", static_cast<int>(setting.tooltip.size()), setting.tooltip.data());
}

}  // namespace

void addSettings(CLI::App& program) {
  struct Options {
    std::string path;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      program.add_subcommand("settings", "Lists what --set takes: range or words, default, live or not");
  command->add_option("PATH", options->path, "One setting, or all below a path, such as select or balance.0.kind");
  command->add_flag("--json", options->json, "One JSON object a setting");
  command->callback([options] {
    const std::vector<NamedSetting> found = settingsAt(options->path);
    if (found.empty())
      throw CLI::ValidationError("settings", "expected a setting or the beginning of one, found " + options->path +
                                                 "; without a path, settings lists all");
    for (const NamedSetting& each : found)
      if (options->json)
        printLine(jsonOf(each));
      else
        print(each);
  });
}

}  // namespace moe::cli
