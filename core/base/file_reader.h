#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace moe {

/// "a folder", "a named pipe" ...: what st_mode says.
std::string kindOfFile(unsigned mode);
/// The same of what lies at `path`; empty where that is a regular file, or nothing.
std::string otherThanRegular(const std::filesystem::path& path);

/// Reads places of one regular file; anything else is refused at once, never waited for. A file that shrinks meanwhile gives an error, never a crash (so: no mapping).
class FileReader {
 public:
  FileReader(std::string tag, std::filesystem::path path);
  ~FileReader();
  FileReader(FileReader&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  std::int64_t size() const { return size_; }
  /// All `count` bytes from `at`, or an error.
  void read(void* bytes, std::int64_t at, std::int64_t count) const;

 private:
  std::string tag_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

}  // namespace moe
