#pragma once
#include <QTemporaryDir>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace moe::test {

/// An empty folder that goes when it does.
class TemporaryFolder {
 public:
  std::filesystem::path path() const { return folder_.path().toStdString(); }
  std::filesystem::path operator/(const std::string& name) const { return path() / name; }

 private:
  QTemporaryDir folder_;
};

inline void writeText(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string readText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The sentence of the moe::Error that `call` throws; "" where it throws none.
template <class Call>
std::string sentenceOf(Call call) {
  try {
    call();
  } catch (const std::exception& error) { return error.what(); }
  return "";
}

}  // namespace moe::test
