#pragma once
#include <string>
#include <vector>

#include "core/backend/module.h"
#include "core/config/setting.h"

namespace moe {

// The backends: those built in, then modules. Everything that names, offers or checks one asks here; makeBackend,
// canCompute and codeBytes (backend.h) look it up in the same list. Modules are opened where their name is asked for.

/// One backend as a person may choose it.
struct BackendRow {
  std::string name;        // "onednn", in files and on the command line
  std::string label;       // "CPU (oneDNN)"
  bool processor = false;  // computes on the machine's own cores
  DeviceList devices;
  std::vector<DType> computeTypes;  // on these devices
};

/// Names of all of them. Opens no module.
std::vector<std::string> backendNames();
/// Those with words of their own, to choose among. Opens no module: what cannot be had here is not said yet.
std::vector<SettingWord> backendWords();
/// "onednn, reference or cuda": the same, for a person.
std::string backendNamesText();
/// Opens every module.
std::vector<BackendRow> backends();
/// One of them; where there is no such backend, its devices' reason says so.
BackendRow backendRow(const std::string& name);

/// Why nothing can be computed on it here, as a sentence with a remedy: not a backend, no module, no device. Empty: it can.
std::string backendProblem(const std::string& name);
/// Why this backend never computes in that type, whatever the processor; empty: it may.
std::string computeTypeProblem(const std::string& backend, DType type);
/// The stages of this recipe that a backend routes on the host instead of its device, as a sentence; empty: none, and of
/// every backend whose device is the host.
std::string hostRouted(const std::string& backend, const Recipe& recipe);

/// What computes on any machine, and stands in where another cannot.
inline constexpr char kProcessorBackend[] = "onednn";

}  // namespace moe
