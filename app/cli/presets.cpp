#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/json_lines.h"
#include "core/data/text_files.h"
#include "core/train/run_config.h"

namespace moe::cli {

namespace {

void list(bool asJson) {
  for (const Preset& preset : presets()) {
    if (asJson) {
      printLine({{"id", preset.id},
                 {"label", preset.label},
                 {"source", preset.source},
                 {"about", preset.about},
                 {"scaled", preset.scaled}});
    } else {
      std::printf("%-16s %-24s %s\n", preset.id.c_str(), preset.label.c_str(), preset.source.c_str());
    }
  }
}

void show(const std::string& id, bool asJson) {
  const RunConfig config = runConfigOfPreset(id);
  for (const Preset& preset : presets()) {
    if (preset.id != id) continue;
    const ModelSize size = sizeOf(config);
    if (asJson) {
      printLine({{"id", preset.id},
                 {"label", preset.label},
                 {"source", preset.source},
                 {"about", preset.about},
                 {"scaled", preset.scaled},
                 {"config", toJson(config)},
                 {"total_parameters", size.totalParameters},
                 {"active_parameters", size.activeParameters},
                 {"flops_per_token", size.flopsPerToken},
                 {"predicted_memory", predictedMemory(config, textSize(config.data))}});
    } else {
      std::printf("%s (%s)\n%s\n%s\n\n%s\n", preset.label.c_str(), preset.source.c_str(), preset.about.c_str(),
                  preset.scaled.c_str(), toJson(config).dump(2).c_str());
    }
  }
}

}  // namespace

void addPresets(CLI::App& program) {
  struct Options {
    std::string name;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("presets", "Lists the presets, or shows one with its whole configuration");
  command->add_option("NAME", options->name, "The preset to show");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([options] {
    if (options->name.empty()) {
      list(options->json);
    } else {
      show(options->name, options->json);
    }
  });
}

}  // namespace moe::cli
