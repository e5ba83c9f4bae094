#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/json_lines.h"
#include "core/backend/backend.h"
#include "core/backend/registry.h"
#include "core/base/error.h"
#include "core/base/machine.h"
#include "core/session/run_preparation.h"

namespace moe::cli {

namespace {

void printProcessor(const BackendRow& row, bool asJson, const std::vector<std::string>& types) {
  const DType first = canCompute(row.name, DType::f32) ? DType::f32 : DType::f64;
  const int threads = makeBackend({.name = row.name, .threads = 0, .computeType = first})->threads();
  const std::string processor = processorName();
  if (asJson)
    return printLine({{"backend", row.name},
                      {"device", processor},
                      {"threads", threads},
                      {"dtypes", types},
                      {"free_memory", freeMemory()}});
  std::string list;
  for (const std::string& type : types) list += (list.empty() ? "" : ", ") + type;
  std::printf("%-10s %s, %d %s, %s, %.1f GB free\n", row.name.c_str(), processor.c_str(), threads,
              threads == 1 ? "thread" : "threads", list.c_str(), static_cast<double>(freeMemory()) / 1e9);
}

void print(bool asJson) {
  for (const BackendRow& row : backends()) {
    std::vector<std::string> types;
    std::string list;
    for (const DType type : {DType::f32, DType::f64, DType::bf16}) {
      if (!canCompute(row.name, type)) continue;
      types.emplace_back(nameOf(type));
      list += (list.empty() ? "" : ", ") + types.back();
    }
    if (row.processor) {
      printProcessor(row, asJson, types);
      continue;
    }
    if (row.devices.devices.empty()) {
      if (asJson)
        printLine({{"backend", row.name}, {"reason", row.devices.reason}});
      else
        std::printf("%s\n", row.devices.reason.c_str());
    }
    for (const DeviceRow& device : row.devices.devices) {
      if (asJson)
        printLine({{"backend", row.name},
                   {"device", device.name},
                   {"detail", device.detail},
                   {"dtypes", types},
                   {"memory", device.memoryBytes}});
      else
        std::printf("%-10s %s, %s, %s, %.1f GB\n", row.name.c_str(), device.name.c_str(), device.detail.c_str(),
                    list.c_str(), static_cast<double>(device.memoryBytes) / 1e9);
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
