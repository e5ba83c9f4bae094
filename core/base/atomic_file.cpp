#include "core/base/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "core/base/error.h"
#include "core/base/file_reader.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPartialPrefix = ".partial-";

// Held while a partial is made and locked, and while partials are swept: no thread sweeps what another just made.
std::mutex birthMutex;

std::string reason(int code) { return std::strerror(code); }

std::string remedyOf(int code) {
  switch (code) {
    case ENOSPC:
    case EDQUOT: return "free some space on this disk and try again";
    case EFBIG: return "the file would pass this process's size limit; raise it or choose another place";
    case EACCES:
    case EPERM:
    case EROFS: return "choose a folder that may be written, or change its permissions";
    default: return "check the disk and the folder, then try again";
  }
}

[[noreturn]] void failed(const std::string& tag, const fs::path& path, const std::string& action, int code) {
  const std::string sentence =
      path.string() + ": expected to " + action + ", found: " + reason(code) + "; " + remedyOf(code);
  if (code == ENOSPC || code == EDQUOT || code == EFBIG) throw NoRoom(tag, sentence);
  throw Error(tag, sentence);
}

fs::path folderOf(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

fs::path partialName(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return folderOf(path) / (std::string(kPartialPrefix) + std::to_string(::getpid()) + "-" +
                           std::to_string(counter.fetch_add(1)) + "-" + path.filename().string());
}

void flush(const std::string& tag, const fs::path& path, bool folder) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (folder ? O_DIRECTORY : 0));
  if (descriptor < 0) failed(tag, path, "open it to flush it to the disk", errno);
  const int result = ::fsync(descriptor), code = errno;
  ::close(descriptor);
  // Some file systems cannot flush a folder and say EINVAL; the rename is then as durable as they make it.
  if (result != 0 && !(folder && code == EINVAL)) failed(tag, path, "flush it to the disk", code);
}

/// Whether another living process made the partial of this name: it may not have come to lock it yet.
bool madeByOther(const std::string& name) {
  const auto maker = static_cast<pid_t>(std::atoi(name.c_str() + kPartialPrefix.size()));
  return maker > 0 && maker != ::getpid() && (::kill(maker, 0) == 0 || errno != ESRCH);
}

/// Where a link leads in the end, which need not be there yet; itself where it is none.
fs::path followed(const std::string& tag, fs::path path) {
  constexpr int kMostLinks = 40;  // Linux's own bound
  for (int links = 0; fs::is_symlink(fs::symlink_status(path)); ++links) {
    if (links == kMostLinks) failed(tag, path, "follow this link", ELOOP);
    path = folderOf(path) / fs::read_symlink(path);
  }
  return path;
}

void makeFolder(const std::string& tag, const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) failed(tag, folder, "make this folder", code.value());
}

}  // namespace

FileWriter::FileWriter(std::string tag, const fs::path& path, Kind kind, const fs::path& named)
    : tag_(std::move(tag)), path_(named.empty() ? path : named) {
  descriptor_ = kind == Kind::created ? ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
                                      : ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor_ < 0) failed(tag_, path_, kind == Kind::created ? "create this file" : "open it to write", errno);
}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileWriter::write(const void* bytes, std::size_t count) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t took = ::write(descriptor_, at, count);
    if (took < 0 && errno == EINTR) continue;
    // A write that takes fewer bytes is tried again with the rest: the next call tells why the disk stopped.
    if (took < 0) failed(tag_, path_, "write byte " + std::to_string(written_), errno);
    if (took == 0) failed(tag_, path_, "write byte " + std::to_string(written_), ENOSPC);
    at += took;
    count -= static_cast<std::size_t>(took);
    written_ += took;
  }
}

void FileWriter::close() {
  // Pipes and most devices have no disk to flush to and say EINVAL, or EROFS.
  if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS)
    failed(tag_, path_, "flush it to the disk", errno);
  const int result = ::close(descriptor_);
  descriptor_ = -1;
  if (result != 0) failed(tag_, path_, "close it", errno);
}

AtomicFile::AtomicFile(const std::string& tag, fs::path path) : tag_(tag), path_(followed(tag, std::move(path))) {
  struct stat older {};
  const bool there = ::stat(path_.c_str(), &older) == 0;
  if (there && S_ISDIR(older.st_mode))
    throw Error(tag_,
                path_.string() + ": expected a file's name, found a folder of it; choose a name in it or beside it");
  if (there && !S_ISREG(older.st_mode)) {
    writer_.emplace(tag_, path_, FileWriter::Kind::existing);
    return;
  }
  partial_ = partialName(path_);
  makeFolder(tag_, folderOf(path_));
  sweepPartials(folderOf(path_));
  const std::lock_guard<std::mutex> guard(birthMutex);
  writer_.emplace(tag_, partial_, FileWriter::Kind::created, path_);
  ::flock(writer_->descriptor(), LOCK_EX);
  if (there && ::fchmod(writer_->descriptor(), older.st_mode & 07777) != 0)
    failed(tag_, path_, "keep this file's permissions", errno);
}

AtomicFile::~AtomicFile() {
  if (!committed_ && !partial_.empty()) ::unlink(partial_.c_str());
}

void AtomicFile::commit() {
  if (partial_.empty()) return writer_->close();
  // The lock belongs to the open file: while a second descriptor holds it, nobody sweeps what has not its name yet.
  struct Held {
    int descriptor;
    ~Held() { ::close(descriptor); }
  };
  const Held held{::dup(writer_->descriptor())};
  if (held.descriptor < 0) failed(tag_, path_, "keep it locked", errno);
  writer_->close();
  if (std::rename(partial_.c_str(), path_.c_str()) != 0)
    failed(tag_, path_, "put the finished file in its place", errno);
  committed_ = true;
  flush(tag_, folderOf(path_), true);
}

AtomicFolder::AtomicFolder(std::string tag, fs::path path)
    : tag_(std::move(tag)), path_(std::move(path)), partial_(partialName(path_)) {
  makeFolder(tag_, folderOf(path_));
  sweepPartials(folderOf(path_));
  const std::lock_guard<std::mutex> guard(birthMutex);
  if (::mkdir(partial_.c_str(), 0777) != 0) failed(tag_, partial_, "make this folder", errno);
  lock_ = ::open(partial_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) failed(tag_, partial_, "open this folder", errno);
  ::flock(lock_, LOCK_EX);
}

AtomicFolder::~AtomicFolder() {
  if (lock_ < 0) return;
  std::error_code ignored;
  fs::remove_all(partial_, ignored);
  ::close(lock_);
}

void AtomicFolder::commit() {
  std::error_code code;
  for (fs::recursive_directory_iterator entry(partial_, code), end; !code && entry != end; entry.increment(code))
    flush(tag_, entry->path(), entry->is_directory());
  if (code) failed(tag_, partial_, "list this folder", code.value());
  flush(tag_, partial_, true);
  // An existing folder cannot be renamed over: the two change names in one step, and the older one is removed.
  const unsigned how = fs::exists(path_) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, path_.c_str(), how) != 0)
    failed(tag_, path_, "put the finished folder in its place", errno);
  flush(tag_, folderOf(path_), true);
  if (how == RENAME_EXCHANGE) fs::remove_all(partial_, code);  // a rest is swept later
  ::close(lock_);
  lock_ = -1;
}

void writeFileAtomically(const std::string& tag, const fs::path& path, std::string_view bytes) {
  AtomicFile file(tag, path);
  file.writer().write(bytes);
  file.commit();
}

std::string readFile(const std::string& tag, const fs::path& path, std::int64_t atMost) {
  const FileReader file(tag, path);
  if (file.size() > atMost)
    throw Error(tag, path.string() + ": expected at most " + std::to_string(atMost) + " bytes, found " +
                         std::to_string(file.size()) + "; choose a smaller file");
  std::string bytes(static_cast<std::size_t>(file.size()), '\0');
  file.read(bytes.data(), 0, file.size());
  return bytes;
}

void removeFolder(const std::string& tag, const fs::path& path) {
  const fs::path gone = partialName(path);
  if (std::rename(path.c_str(), gone.c_str()) != 0) {
    if (errno == ENOENT) return;
    failed(tag, path, "remove this folder", errno);
  }
  std::error_code ignored;
  fs::remove_all(gone, ignored);  // a rest is swept later
}

void sweepPartials(const fs::path& folder) {
  const std::lock_guard<std::mutex> guard(birthMutex);
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(kPartialPrefix) || madeByOther(name)) continue;
    const int descriptor = ::open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) continue;
    std::error_code ignored;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry->path(), ignored);
    ::close(descriptor);
  }
}

}  // namespace moe
