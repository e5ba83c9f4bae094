#pragma once
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <vector>

namespace moe::test {

/// What a program took from its start to its end.
struct Taken {
  bool succeeded = false;
  double seconds = 0;
  double peak = 0;  // bytes that it held at most
};

/// Runs it with its output thrown away. The first of `arguments` is its own name.
inline Taken measured(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> list;
  for (const std::string& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
  list.push_back(nullptr);
  const auto began = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::execv(program.c_str(), list.data());
    ::_exit(1);
  }
  int status = 1;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  return {WIFEXITED(status) && WEXITSTATUS(status) == 0, seconds.count(), 1024.0 * static_cast<double>(used.ru_maxrss)};
}

}  // namespace moe::test
