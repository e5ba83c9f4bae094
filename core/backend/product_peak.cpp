#include "core/backend/product_peak.h"

#include <algorithm>
#include <chrono>

#include "core/backend/backend.h"

namespace moe {
namespace {

constexpr std::int64_t kSmallest = 256, kLargest = 8192;
constexpr double kLongEnough = 1e-3;  // seconds a product, far above what asking for it costs
constexpr int kRounds = 5, kProducts = 4;

}  // namespace

double measuredProductPeak(Backend& backend) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (std::int64_t n = kSmallest; n <= kLargest; n *= 2) {
    const Tensor x = backend.allocate({n, n}, DType::f32), weight = backend.allocate({n, n}, DType::f32),
                 y = backend.allocate({n, n}, DType::f32);
    backend.fill(x, 0.5);
    backend.fill(weight, 0.5);
    backend.linear(y, x, weight, {}, false);
    backend.synchronize();
    double seconds = 1e9;
    for (int round = 0; round < kRounds; ++round) {
      const auto start = Clock::now();
      for (int i = 0; i < kProducts; ++i) backend.linear(y, x, weight, {}, false);
      backend.synchronize();
      seconds = std::min(seconds, std::chrono::duration<double>(Clock::now() - start).count() / kProducts);
    }
    best = std::max(best, 2.0 * static_cast<double>(n * n * n) / seconds);
    if (seconds >= kLongEnough) break;
  }
  return best;
}

}  // namespace moe
