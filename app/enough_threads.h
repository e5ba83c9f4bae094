#pragma once
#include <cstdio>
#include <cstdlib>

#include "core/base/machine.h"

namespace moe {

/// Ends the program with a sentence where the system does not give it so many threads: begun one by one, a library's would
/// end it without a word.
inline void requireThreads(const char* program, int threads) {
  const int given = threadsGiven(threads);
  if (given >= threads) return;
  std::fprintf(stderr,
               "%s: expected the system to give this program %d threads, found that it gives %d; end other programs of "
               "this account, or raise its limit (ulimit -u)\n",
               program, threads, given);
  std::exit(1);
}

}  // namespace moe
