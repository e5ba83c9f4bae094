# Writes resources/presets/*.json into a source file, so that both programs carry them. Runs again when one changes.
set(PRESET_FOLDER ${PROJECT_SOURCE_DIR}/resources/presets)
file(GLOB PRESET_FILES CONFIGURE_DEPENDS ${PRESET_FOLDER}/*.json)
set(PRESET_ENTRIES "")
foreach(preset ${PRESET_FILES})
  get_filename_component(id ${preset} NAME_WE)
  file(READ ${preset} text)
  string(APPEND PRESET_ENTRIES "      {\"${id}\", R\"preset(${text})preset\"},\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${preset})
endforeach()
set(PRESET_SOURCE ${CMAKE_CURRENT_BINARY_DIR}/preset_files.cpp)
file(CONFIGURE OUTPUT ${PRESET_SOURCE} CONTENT
"#include \"core/train/preset_files.h\"

namespace moe {

std::vector<PresetFile> presetFiles() {
  return {
@PRESET_ENTRIES@  };
}

}  // namespace moe
" @ONLY)
