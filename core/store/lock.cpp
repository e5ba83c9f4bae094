#include "core/store/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace moe {

std::string describeThisProcess() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char time[32];
  std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return "process " + std::to_string(::getpid()) + " (since " + time + ")";
}

StoreLock::StoreLock(const std::filesystem::path& store) {
  const std::string path = store.string() + ".lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    throw Error("store", store.string() + ": expected a folder that may be written, found: " + std::strerror(errno) +
                             "; choose another store or change the folder's permissions");
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const bool held = errno == EWOULDBLOCK;
    const std::string reason = std::strerror(errno);
    char holder[128];
    const ssize_t got = ::pread(descriptor_, holder, sizeof holder, 0);
    ::close(descriptor_);
    if (!held)
      throw Error("store", store.string() + ": expected to lock it for writing, found: " + reason +
                               "; choose a store on another disk");
    std::string who(holder, static_cast<std::size_t>(got > 0 ? got : 0));
    while (!who.empty() && who.back() == '\n') who.pop_back();
    throw StoreHeld("store", store.string() + ": expected to be the one that writes, found it held by " +
                                 (who.empty() ? std::string("another process") : who) +
                                 "; close that program, or choose another store");
  }
  const std::string self = describeThisProcess() + "\n";
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, self.data(), self.size(), 0) != static_cast<ssize_t>(self.size())) {
    const std::string reason = std::strerror(errno);
    ::close(descriptor_);
    throw Error("store", path + ": expected to write who holds the store, found: " + reason + "; free some space");
  }
}

// The file stays: removing it could take it from a process that has just opened it.
StoreLock::~StoreLock() {
  if (descriptor_ < 0) return;
  if (::ftruncate(descriptor_, 0) != 0) { /* the freed lock is what counts */
  }
  ::close(descriptor_);
}

}  // namespace moe
