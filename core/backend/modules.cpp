#include "core/backend/modules.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>
#include <utility>

namespace moe {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "libswitchyard_", kSuffix = ".so";

fs::path fileOf(const std::string& name) { return std::string(kPrefix) + name + std::string(kSuffix); }

std::string buildAgain(const std::string& name) { return "build it again with this program: scripts/build " + name; }

/// What dlopen says, without the file's name in front, which stands in the sentence already.
std::string loaderSays(const fs::path& file) {
  const char* said = ::dlerror();
  std::string sentence = said ? said : "no reason given";
  const std::string front = file.string() + ": ";
  return sentence.starts_with(front) ? sentence.substr(front.size()) : sentence;
}

Modules::Opened refused(const fs::path& file, const std::string& expected, const std::string& found,
                        const std::string& remedy) {
  return {nullptr, file.string() + ": expected " + expected + ", found " + found + "; " + remedy};
}

Modules::Opened openFile(const fs::path& file, const std::string& name) {
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);  // for the life of the process
  if (!library) {
    const std::string said = loaderSays(file);
    const bool missing = said.find("cannot open shared object file") != std::string::npos;
    return refused(file, "a library that this machine can load", said,
                   missing ? "install what it names (libcuda.so.1 comes with NVIDIA's driver)" : buildAgain(name));
  }
  const auto offers = reinterpret_cast<SwitchyardBackendModule*>(::dlsym(library, kSwitchyardBackendModule));
  const BackendModule* module = offers ? offers() : nullptr;
  if (!module || !module->interface)
    return refused(file, "a backend of this program", "a library without " + std::string(kSwitchyardBackendModule),
                   buildAgain(name) + ", or move the file away");
  if (std::string_view(module->interface) != SWITCHYARD_MODULE_INTERFACE)
    return refused(file, "a module built for interface " SWITCHYARD_MODULE_INTERFACE,
                   "one for " + std::string(module->interface), buildAgain(name));
  if (module->name != name)
    return refused(file, "the backend that the file is named after", module->name,
                   "name it " + fileOf(module->name).string());
  return {module, {}};
}

}  // namespace

std::vector<fs::path> moduleFolders() {
  std::vector<fs::path> folders;
  if (const char* named = std::getenv("SWITCHYARD_MODULES"))
    for (std::string_view rest = named; !rest.empty();) {
      const std::size_t colon = rest.find(':');
      if (const std::string_view folder = rest.substr(0, colon); !folder.empty()) folders.emplace_back(folder);
      rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    }
  std::error_code code;
  if (const fs::path self = fs::read_symlink("/proc/self/exe", code); !code) folders.push_back(self.parent_path());
  for (fs::path& folder : folders) folder = fs::absolute(folder, code).lexically_normal();
  return folders;
}

const Modules::Opened& Modules::open(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<const Opened>& opened = opened_[name];
  if (!opened) opened = std::make_unique<const Opened>(search(name));
  return *opened;
}

Modules::Opened Modules::search(const std::string& name) const {
  Opened first;  // what was wrong with the first that cannot be used
  std::string looked;
  for (const fs::path& folder : folders_) {
    looked += (looked.empty() ? "" : " or ") + folder.string();
    std::error_code code;
    const fs::path file = folder / fileOf(name);
    if (name.find('/') != std::string::npos || !fs::exists(file, code)) continue;
    const Opened opened = openFile(file, name);
    if (opened.module) return opened;
    if (first.problem.empty()) first = opened;
  }
  if (!first.problem.empty()) return first;
  return {nullptr, name + ": expected its module " + fileOf(name).string() + " in " + looked +
                       ", found none; build it with scripts/build " + name +
                       ", or name its folder in SWITCHYARD_MODULES"};
}

std::vector<std::string> Modules::names() const {
  std::set<std::string> names;
  std::error_code code;
  for (const fs::path& folder : folders_)
    for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
      const std::string file = entry->path().filename().string();
      if (file.size() > kPrefix.size() + kSuffix.size() && file.starts_with(kPrefix) && file.ends_with(kSuffix))
        names.insert(file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size()));
    }
  return {names.begin(), names.end()};
}

Modules& modules() {
  static Modules ofThisProcess(moduleFolders());
  return ofThisProcess;
}

}  // namespace moe
