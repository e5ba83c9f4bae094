#pragma once
#include <string>
#include <vector>

namespace moe {

/// One file of resources/presets as it was when the program was built.
struct PresetFile {
  std::string id, text;  // "name" of name.json
};

/// Written by core/embed_json.cmake into the build folder.
std::vector<PresetFile> presetFiles();

}  // namespace moe
