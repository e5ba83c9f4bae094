#include "app/cli/progress_line.h"

#include <unistd.h>

#include <cstdio>

#include "app/cli/view_text.h"

namespace moe::cli {

void ProgressLine::show(const std::string& what, double share) {
  const bool terminal = ::isatty(STDERR_FILENO);
  const auto now = std::chrono::steady_clock::now();
  if (what != what_) what_ = what, shown_ = now;
  const auto work = estimate_.pass(what, share, now);
  if (!work || now - shown_ < (terminal ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000))) return;
  shown_ = now;
  const std::string left = work->secondsLeft > 0 ? ", about " + duration(work->secondsLeft) + " left" : "";
  std::fprintf(stderr, "%s%s %.0f %%%s%s", terminal ? "\r\x1b[2K" : "", what.c_str(), 100 * share, left.c_str(),
               terminal ? "" : "\n");
  std::fflush(stderr);
  drawn_ = terminal;
}

void ProgressLine::clear() {
  if (drawn_) std::fputs("\r\x1b[2K", stderr), std::fflush(stderr);
  drawn_ = false;
  what_.clear();
}

}  // namespace moe::cli
