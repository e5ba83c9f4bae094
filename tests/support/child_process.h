#pragma once
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <string>

namespace moe::test {

/// Runs `call` in a forked child and returns what it printed by returning a string, or the sentence of its exception.
template <class Call>
std::string inChild(Call call) {
  int pipe[2];
  if (::pipe(pipe) != 0) return "no pipe";
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    std::string said;
    try {
      said = call();
    } catch (const std::exception& error) { said = error.what(); }
    if (::write(pipe[1], said.data(), said.size()) < 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t got; (got = ::read(pipe[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(got));
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? said : "the child ended with status " + std::to_string(status);
}

/// Any file this process writes ends at `bytes`: writes past it fail as on a full disk (EFBIG).
inline void limitFileSize(rlim_t bytes) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace moe::test
