#include "core/backend/registry.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "core/backend/modules.h"
#include "core/backend/onednn/dnnl_version.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/base/error.h"
#include "core/base/machine.h"

namespace moe {
namespace {

/// Computes on the processor, and is part of every program.
struct BuiltIn {
  std::string_view name, label;
  SettingWord word;                                         // where one is chosen
  std::array<DType, 2> types;                               // that it may compute in
  bool (*computes)(DType);                                  // of these, on this processor
  std::unique_ptr<Backend> (*make)(const BackendOptions&);  // one of these
  std::int64_t (*codeBytes)(DType);
};

std::unique_ptr<Backend> makeReference(const BackendOptions& options) {
  return std::make_unique<ReferenceBackend>(options.computeType);
}

std::unique_ptr<Backend> makeOnednn(const BackendOptions& options) {
  return std::make_unique<OnednnBackend>(options.threads, options.computeType);
}

const std::array kBuiltIn{
    BuiltIn{"onednn",
            "CPU (oneDNN)",
            {"onednn", "CPU", "oneDNN", "This machine's processor, fast."},
            {DType::f32, DType::bf16},
            [](DType type) { return type != DType::bf16 || hasBf16Products(); },
            makeOnednn,
            [](DType type) { return type == DType::bf16 ? kBf16CodeBytes : 0; }},
    BuiltIn{"reference",
            "CPU (plain loops)",
            {"reference", "Reference", "plain loops", "The definition of every operation, slow."},
            {DType::f32, DType::f64},
            [](DType) { return true; },
            makeReference,
            [](DType) { return std::int64_t{0}; }},
};

/// Modules that are spoken of whether they are there or not.
struct KnownModule {
  std::string_view name, label;
  SettingWord word;
};
const std::array kKnownModules{
    KnownModule{"cuda", "GPU (CUDA)", {"cuda", "GPU", "CUDA", "This machine's NVIDIA GPU."}}};

constexpr std::array kComputeTypes{DType::f32, DType::bf16, DType::f64};

const BuiltIn* builtIn(std::string_view name) {
  const auto* found = std::ranges::find(kBuiltIn, name, &BuiltIn::name);
  return found == kBuiltIn.end() ? nullptr : found;
}

bool mayCompute(const BuiltIn& backend, DType type) {
  return std::ranges::find(backend.types, type) != backend.types.end();
}

std::string either(std::span<const std::string> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return text;
}

/// The module of that name; null: `problem` says why.
const BackendModule* moduleOf(const std::string& name, std::string& problem) {
  const std::vector<std::string> names = backendNames();
  if (std::ranges::find(names, name) == names.end()) {
    problem = "expected one of " + either(names) + ", found " + name + "; choose one that is listed";
    return nullptr;
  }
  const Modules::Opened& opened = modules().open(name);
  problem = opened.problem;
  return opened.module;
}

const BackendModule* moduleOf(const std::string& name) {
  std::string problem;
  return moduleOf(name, problem);
}

/// Why `backend` does not compute in that type on this processor.
std::string refusal(const BuiltIn& backend, DType type) {
  if (std::string never = computeTypeProblem(std::string(backend.name), type); !never.empty()) return never;
  if (backend.computes(type)) return {};
  return std::string(backend.name) +
         ": expected a processor with AVX512-BF16 or AMX for compute type bf16, found one without; "
         "choose f32";
}

}  // namespace

std::vector<std::string> backendNames() {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name) {
    if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
  };
  for (const BuiltIn& backend : kBuiltIn) add(backend.name);
  for (const KnownModule& known : kKnownModules) add(known.name);
  for (const std::string& name : modules().names()) add(name);
  return names;
}

std::vector<SettingWord> backendWords() {
  std::vector<SettingWord> words;
  for (const BuiltIn& backend : kBuiltIn) words.push_back(backend.word);
  for (const KnownModule& known : kKnownModules) words.push_back(known.word);
  return words;
}

std::string backendNamesText() { return either(backendNames()); }

BackendRow backendRow(const std::string& name) {
  BackendRow row{.name = name, .label = name, .processor = false, .devices = {}, .computeTypes = {}};
  if (const BuiltIn* backend = builtIn(name)) {
    row.label = backend->label;
    row.processor = true;
    row.devices.devices.push_back({machineName(), {}, machineMemory()});
  } else if (std::string problem; const BackendModule* module = moduleOf(name, problem)) {
    row.label = module->label;
    row.devices = module->devices();
  } else {
    for (const KnownModule& known : kKnownModules)
      if (known.name == name) row.label = known.label;
    row.devices.reason = problem;
  }
  if (!row.devices.devices.empty())
    for (const DType type : kComputeTypes)
      if (canCompute(name, type)) row.computeTypes.push_back(type);
  return row;
}

std::vector<BackendRow> backends() {
  std::vector<BackendRow> rows;
  for (const std::string& name : backendNames()) rows.push_back(backendRow(name));
  return rows;
}

std::string backendProblem(const std::string& name) {
  if (builtIn(name)) return {};
  std::string problem;
  const BackendModule* module = moduleOf(name, problem);
  if (!module) return problem;
  const DeviceList devices = module->devices();
  return devices.devices.empty() ? name + ": " + devices.reason : std::string();
}

std::string computeTypeProblem(const std::string& backend, DType type) {
  if (const BuiltIn* known = builtIn(backend)) {
    if (mayCompute(*known, type)) return {};
    std::vector<std::string> types;
    for (const DType each : known->types) types.emplace_back(nameOf(each));
    return backend + ": expected compute type " + either(types) + ", found " + std::string(nameOf(type)) +
           "; choose one of these, or another backend";
  }
  const BackendModule* module = moduleOf(backend);
  return module && !module->devices().devices.empty() ? module->refusal(type) : std::string();
}

std::string hostRouted(const std::string& backend, const Recipe& recipe) {
  if (builtIn(backend)) return {};
  const BackendModule* module = moduleOf(backend);
  return module ? module->hostRouted(recipe) : std::string();
}

bool canCompute(const std::string& backend, DType type) {
  if (const BuiltIn* known = builtIn(backend)) return mayCompute(*known, type) && known->computes(type);
  return backendProblem(backend).empty() && moduleOf(backend)->refusal(type).empty();
}

std::int64_t codeBytes(const std::string& backend, DType type) {
  if (const BuiltIn* known = builtIn(backend)) return known->codeBytes(type);
  const BackendModule* module = moduleOf(backend);
  return module ? module->codeBytes(type) : 0;
}

std::unique_ptr<Backend> makeBackend(const BackendOptions& options) {
  if (const BuiltIn* known = builtIn(options.name)) {
    if (const std::string problem = refusal(*known, options.computeType); !problem.empty())
      throw Error("backend", problem);
    if (const int given = threadsGiven(options.threads); given < options.threads)
      throw Error("backend", options.name + ": expected " + std::to_string(options.threads) +
                                 " threads to compute with, found that the system gives no more than " +
                                 std::to_string(given) +
                                 "; set fewer, end other programs of this account, or raise its limit (ulimit -u)");
    return known->make(options);
  }
  if (const std::string problem = backendProblem(options.name); !problem.empty()) throw Error("backend", problem);
  const BackendModule* module = moduleOf(options.name);
  if (const std::string problem = module->refusal(options.computeType); !problem.empty())
    throw Error("backend", options.name + ": " + problem);
  return module->make(options);
}

}  // namespace moe
