#include "core/backend/onednn/gemm_peak.h"

#include <algorithm>
#include <chrono>

#include "core/backend/onednn/bf16_product.h"
#include "core/backend/onednn/dnnl_version.h"
#include "core/tensor/tensor.h"

namespace moe {

double measuredGemmPeak(int threads) {
  const int outer = omp_get_max_threads();
  omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs());
  double best = 0;
  for (const std::int64_t n : {768, 1024, 1536}) {
    const Tensor a = hostTensor({n, n}, DType::f32), b = hostTensor({n, n}, DType::f32),
                 c = hostTensor({n, n}, DType::f32);
    for (int round = 0; round < 6; ++round) {
      const auto start = std::chrono::steady_clock::now();
      gemmAsConfigured({.m = n,
                        .n = n,
                        .k = n,
                        .a = a.as<float>(),
                        .lda = n,
                        .b = b.as<float>(),
                        .ldb = n,
                        .c = c.as<float>(),
                        .ldc = n});
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      best = std::max(best, 2.0 * static_cast<double>(n * n * n) / seconds);
    }
  }
  omp_set_num_threads(outer);
  return best;
}

double measuredBf16Peak(int threads) {
  constexpr std::int64_t n = 512, rows = kBf16MaxRows;
  constexpr int kProducts = 40;
  if (threads <= 0) threads = omp_get_num_procs();
  Bf16Products products(threads);
  const Bf16Product& product = products[{.n = n, .k = n}];
  const Tensor a = hostTensor({threads, rows, n}, DType::bf16), b = hostTensor({n, n}, DType::bf16),
               c = hostTensor({threads, rows, n}, DType::f32);
  double best = 0;
  for (int round = 0; round < 20; ++round) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel num_threads(threads)
    {
      const int thread = omp_get_thread_num();
      for (int i = 0; i < kProducts; ++i)
        product.run(thread, rows, a.as<BFloat16>() + thread * rows * n, b.as<BFloat16>(),
                    c.as<float>() + thread * rows * n);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2.0 * static_cast<double>(threads * kProducts * rows * n * n) / seconds);
  }
  return best;
}

}  // namespace moe
