# Writes the JSON files of a folder into a source file, so that both programs carry them: `function` in `header` returns
# them as a vector of `type` {id, text}. Runs again when one changes. The source file's name is left in `result`.
function(switchyard_embed_json result folder header type function)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder})
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.json)
  set(entries "")
  foreach(path ${files})
    get_filename_component(id ${path} NAME_WE)
    file(READ ${path} text)
    string(APPEND entries "      {\"${id}\", R\"json(${text})json\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT
"#include \"${header}\"

namespace moe {

std::vector<${type}> ${function}() {
  return {
${entries}  };
}

}  // namespace moe
" @ONLY)
  set(${result} ${source} PARENT_SCOPE)
endfunction()
