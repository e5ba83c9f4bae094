# Backends in shared libraries that the programs open at run time: core/backend/module.h is what they implement.

# The headers of `root` and all that they include of ours, relative to the project.
function(switchyard_headers_of out root)
  set(known ${root})
  set(waiting ${root})
  while(waiting)
    list(POP_FRONT waiting header)
    file(STRINGS ${PROJECT_SOURCE_DIR}/${header} lines REGEX "^#include \"core/")
    foreach(line ${lines})
      string(REGEX REPLACE "^#include \"([^\"]+)\".*" "\\1" included ${line})
      if(NOT included IN_LIST known)
        list(APPEND known ${included})
        list(APPEND waiting ${included})
      endif()
    endforeach()
  endwhile()
  list(SORT known)
  set(${out} ${known} PARENT_SCOPE)
endfunction()

# What programs and modules must have been built from alike: the text of the shared headers, and what changes how these
# compile. The compiler's own part of it stands in module.h.
function(switchyard_interface_hash out)
  switchyard_headers_of(headers core/backend/module.h)
  set(text "${SWITCHYARD_SANITIZE} ${CMAKE_SIZEOF_VOID_P}")
  foreach(header ${headers})
    file(SHA256 ${PROJECT_SOURCE_DIR}/${header} hash)
    string(APPEND text " ${header} ${hash}")
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
  endforeach()
  string(SHA256 hash ${text})
  string(SUBSTRING ${hash} 0 16 hash)
  set(${out} ${hash} PARENT_SCOPE)
endfunction()
switchyard_interface_hash(SWITCHYARD_HEADERS)

# switchyard_add_backend_module(NAME SOURCES file... [LIBRARIES library...] [FOLDER folder] [TARGET target])
#   builds libswitchyard_NAME.so (target: switchyard_NAME) with the engine inside, nothing of it visible but what
#   SWITCHYARD_MODULE_EXPORT marks. It lies beside the programs, where they look, unless FOLDER says otherwise.
function(switchyard_add_backend_module name)
  cmake_parse_arguments(PARSE_ARGV 1 module "" "FOLDER;TARGET" "SOURCES;LIBRARIES")
  if(NOT module_TARGET)
    set(module_TARGET switchyard_${name})
  endif()
  if(NOT module_FOLDER)
    set(module_FOLDER ${PROJECT_BINARY_DIR}/app)
    set(installed ON)
  endif()
  add_library(${module_TARGET} MODULE ${module_SOURCES})
  if(installed)
    install(TARGETS ${module_TARGET} LIBRARY DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
  set_target_properties(${module_TARGET} PROPERTIES
    PREFIX lib OUTPUT_NAME switchyard_${name} LIBRARY_OUTPUT_DIRECTORY ${module_FOLDER}
    CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_definitions(${module_TARGET} PRIVATE SWITCHYARD_HEADERS="${SWITCHYARD_HEADERS}")
  target_link_libraries(${module_TARGET} PRIVATE moe_core ${module_LIBRARIES})
  target_link_options(${module_TARGET} PRIVATE LINKER:--exclude-libs,ALL LINKER:--as-needed)
  if(NOT SWITCHYARD_SANITIZE)  # whose functions are the program's
    target_link_options(${module_TARGET} PRIVATE LINKER:-z,defs)
  endif()
endfunction()
