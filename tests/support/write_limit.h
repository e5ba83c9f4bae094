#pragma once
#include <sys/resource.h>

#include <csignal>

namespace moe::test {

/// As a full disk: while it stands, no file of this process grows beyond so many bytes.
class WriteLimit {
 public:
  explicit WriteLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~WriteLimit() { lift(); }
  void lift() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace moe::test
