#include "core/store/local_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "core/base/error.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

constexpr std::uint32_t kLongest = 1u << 30;  // bytes of a message
constexpr std::size_t kPiece = 1 << 20;       // room is made as bytes arrive, not as a length promises

/// The system takes short paths only: a long one is named through its open folder.
class Address {
 public:
  explicit Address(const fs::path& path) {
    address_.sun_family = AF_UNIX;
    std::string name = path.string();
    if (name.size() >= sizeof address_.sun_path) {
      const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
      folder_ = ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
      name = "/proc/self/fd/" + std::to_string(folder_) + "/" + path.filename().string();
    }
    fits_ = name.size() < sizeof address_.sun_path;
    std::memcpy(address_.sun_path, name.data(), std::min(name.size(), sizeof address_.sun_path - 1));
  }
  ~Address() {
    if (folder_ >= 0) ::close(folder_);
  }
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;

  bool fits() const { return fits_; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
  int folder_ = -1;
  bool fits_ = false;
};

int makeSocket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

bool sendAll(int descriptor, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = ::send(descriptor, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool receiveAll(int descriptor, char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(descriptor, bytes, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

fs::path socketOf(const fs::path& store) { return store.string() + ".sock"; }

LocalSocket::~LocalSocket() { ::close(descriptor_); }

std::optional<int> LocalSocket::connect(const fs::path& path) {
  const Address address(path);
  const int descriptor = makeSocket();
  if (descriptor < 0) return std::nullopt;
  if (address.fits() && ::connect(descriptor, address.get(), address.size()) == 0) return descriptor;
  ::close(descriptor);
  return std::nullopt;
}

void LocalSocket::setPatience(int receiving, int sending) {
  const timeval in{receiving, 0}, out{sending, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof in);
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof out);
}

bool LocalSocket::send(std::string_view message) {
  if (message.size() > kLongest) return false;
  const auto size = static_cast<std::uint32_t>(message.size());
  return sendAll(descriptor_, reinterpret_cast<const char*>(&size), sizeof size) &&
         sendAll(descriptor_, message.data(), message.size());
}

std::optional<std::string> LocalSocket::receive() {
  std::uint32_t size = 0;
  if (!receiveAll(descriptor_, reinterpret_cast<char*>(&size), sizeof size) || size > kLongest) return std::nullopt;
  std::string message;
  while (message.size() < size) {
    const std::size_t begin = message.size();
    message.resize(begin + std::min<std::size_t>(kPiece, size - begin));
    if (!receiveAll(descriptor_, message.data() + begin, message.size() - begin)) return std::nullopt;
  }
  return message;
}

void LocalSocket::endReceiving() { ::shutdown(descriptor_, SHUT_RD); }

void LocalSocket::end() { ::shutdown(descriptor_, SHUT_RDWR); }

ListeningSocket::ListeningSocket(fs::path path, const fs::path& likeFile) : path_(std::move(path)) {
  const auto failed = [&](const char* what, bool bound = false) {
    const std::string reason = std::strerror(errno);
    if (bound) ::unlink(path_.c_str());
    if (descriptor_ >= 0) ::close(descriptor_);
    throw Error("store",
                path_.string() + ": expected " + what + ", found: " + reason + "; choose a store on another disk");
  };
  const Address address(path_);
  struct stat file {};
  if (::stat(likeFile.c_str(), &file) != 0) failed("the store it belongs to");
  descriptor_ = makeSocket();
  if (descriptor_ < 0) failed("a socket");
  ::unlink(path_.c_str());
  if (!address.fits()) errno = ENAMETOOLONG;
  if (!address.fits() || ::bind(descriptor_, address.get(), address.size()) != 0) failed("a place for a socket");
  // Nobody can connect before it listens.
  if (::chmod(path_.c_str(), file.st_mode & 0666) != 0 || ::listen(descriptor_, 16) != 0)
    failed("a socket that listens", true);
}

ListeningSocket::~ListeningSocket() {
  ::unlink(path_.c_str());
  ::close(descriptor_);
}

std::optional<int> ListeningSocket::accept() {
  for (;;) {
    const int descriptor = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor >= 0) return descriptor;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return std::nullopt;
    ::usleep(100'000);  // until something is freed
  }
}

void ListeningSocket::end() { ::shutdown(descriptor_, SHUT_RDWR); }

}  // namespace moe
