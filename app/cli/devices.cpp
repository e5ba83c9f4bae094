#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/json_lines.h"
#include "core/base/machine.h"
#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/session/run_preparation.h"

namespace moe::cli {

namespace {

void print(bool asJson) {
  const std::string processor = processorName();
  for (const char* name : {"onednn", "reference"}) {
    int threads = 0;
    std::vector<std::string> types;
    for (const DType type : {DType::f32, DType::f64, DType::bf16}) {
      try {
        threads = makeBackend({.name = name, .threads = 0, .computeType = type})->threads();
        types.emplace_back(nameOf(type));
      } catch (const Error&) {
        // This backend or processor cannot compute in it: it is not listed.
      }
    }
    if (types.empty()) continue;
    if (asJson) {
      printLine({{"backend", name}, {"device", processor}, {"threads", threads}, {"dtypes", types}, {"free_memory", freeMemory()}});
    } else {
      std::string list;
      for (const std::string& type : types) list += (list.empty() ? "" : ", ") + type;
      std::printf("%-10s %s, %d %s, %s, %.1f GB free\n", name, processor.c_str(), threads, threads == 1 ? "thread" : "threads", list.c_str(),
                  static_cast<double>(freeMemory()) / 1e9);
    }
  }
}

}  // namespace

void addDevices(CLI::App& program) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = program.add_subcommand("devices", "Lists what models can be computed on");
  command->add_flag("--json", *json, "One JSON object a line");
  command->callback([json] { print(*json); });
}

}  // namespace moe::cli
