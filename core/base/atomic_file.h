#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace moe {

// Files that appear whole or not at all: written to ".partial-..." beside the target, flushed to the disk, renamed, the
// folder flushed. A short write is an error and the old file stays. What a crash leaves behind is swept by the next
// writer of the same folder; a partial of a living writer is locked and left alone. Errors carry the caller's tag.

/// Writes one file in order, checking every write. `close` flushes it to the disk; the destructor only closes.
class FileWriter {
 public:
  enum class Kind { created, existing };  // existing: opened as it is, such as a pipe
  /// `named`: what sentences call it, where that is another name.
  FileWriter(std::string tag, const std::filesystem::path& path, Kind kind = Kind::created,
             const std::filesystem::path& named = {});
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* bytes, std::size_t count);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  void close();
  std::int64_t written() const { return written_; }
  int descriptor() const { return descriptor_; }

 private:
  std::string tag_;
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::int64_t written_ = 0;
};

/// One file that replaces `path` on commit; without commit nothing happens to it. A link is followed, so that its target is
/// what is replaced, and an older file's permissions stay. What is no regular file (a pipe, a device) is written through:
/// it cannot be replaced, and takes what is written as it comes.
class AtomicFile {
 public:
  AtomicFile(const std::string& tag, std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();
  FileWriter& writer() { return *writer_; }
  void commit();

 private:
  std::string tag_;
  std::filesystem::path path_, partial_;  // partial_ is empty where it is written through
  std::optional<FileWriter> writer_;
  bool committed_ = false;
};

/// A folder that takes the name `path` on commit, in place of an older one of that name. Fill it under `partial()`.
class AtomicFolder {
 public:
  AtomicFolder(std::string tag, std::filesystem::path path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& partial() const { return partial_; }
  /// Flushes every file in it, renames, flushes the parent.
  void commit();

 private:
  std::string tag_;
  std::filesystem::path path_, partial_;
  int lock_ = -1;
};

void writeFileAtomically(const std::string& tag, const std::filesystem::path& path, std::string_view bytes);

/// The whole file. Refuses one longer than `atMost` bytes before reading it.
std::string readFile(const std::string& tag, const std::filesystem::path& path, std::int64_t atMost);

/// Removes a folder so that a crash leaves it whole or gone: renamed to a partial first. Quiet where it is absent.
void removeFolder(const std::string& tag, const std::filesystem::path& path);

/// Removes the partials that no living writer holds. Quiet where the folder is absent or may not be changed.
void sweepPartials(const std::filesystem::path& folder);

}  // namespace moe
