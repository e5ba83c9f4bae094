#include "core/base/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"

namespace moe {
namespace {

std::string unreadable(const std::filesystem::path& path, int code) {
  return path.string() + ": expected a file that can be read, found: " + std::strerror(code) +
         "; check the path and its permissions";
}

}  // namespace

std::string kindOfFile(unsigned mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return "a folder";
    case S_IFIFO: return "a named pipe";
    case S_IFSOCK: return "a socket";
    case S_IFBLK:
    case S_IFCHR: return "a device";
    default: return "a file";
  }
}

std::string otherThanRegular(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode) ? "" : kindOfFile(status.st_mode);
}

FileReader::FileReader(std::string tag, std::filesystem::path path) : tag_(std::move(tag)), path_(std::move(path)) {
  // Looked at before it is opened, which a pipe would wait at and a device may act on; and again, as it may have been
  // exchanged in between.
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) throw Error(tag_, unreadable(path_, errno));
  if (S_ISREG(status.st_mode)) {
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor_ < 0) throw Error(tag_, unreadable(path_, errno));
    const int result = ::fstat(descriptor_, &status), code = errno;
    if (result == 0 && S_ISREG(status.st_mode)) {
      size_ = status.st_size;
      return;
    }
    ::close(descriptor_);
    if (result != 0) throw Error(tag_, unreadable(path_, code));
  }
  throw Error(tag_,
              path_.string() + ": expected a file, found " + kindOfFile(status.st_mode) + "; choose a regular file");
}

FileReader::FileReader(FileReader&& other) noexcept
    : tag_(std::move(other.tag_)),
      path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

FileReader::~FileReader() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileReader::read(void* bytes, std::int64_t at, std::int64_t count) const {
  char* to = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = ::pread(descriptor_, to, static_cast<std::size_t>(count), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(tag_, unreadable(path_, errno));
    if (got == 0)
      throw Error(tag_, path_.string() + ": expected " + std::to_string(count) + " more bytes at offset " +
                            std::to_string(at) + ", found the end of the file; it is cut short");
    to += got;
    at += got;
    count -= got;
  }
}

}  // namespace moe
