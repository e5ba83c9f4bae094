#pragma once
#include <stdlib.h>
#include <unistd.h>

namespace moe {

/// OpenMP threads that wait for one another spin, and where anything else wants the cores a spinning thread burns the time
/// slice its partner needs: beside eight compiler jobs a step took twenty times as long. A short spin, then sleep, costs
/// next to nothing alone. libgomp reads its environment before main, so the program starts itself once more, with it set;
/// who has set either variable is left alone.
inline void waitWithoutSpinning(char** argv) {
  if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
  setenv("GOMP_SPINCOUNT", "2000", 1);
  execv("/proc/self/exe", argv);
}

}  // namespace moe
