#pragma once
// With dnnl_matmul.h the only file that may know which oneDNN it is compiled against (2.6 to 3.x).
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include <cassert>
#include <cstdint>

namespace moe {

/// What the code that bf16 products are made of takes, bytes, once a process and whatever their number: nothing to speak
/// of in 2.6, some 50 MiB in 3.7 (measured).
inline constexpr std::int64_t kBf16CodeBytes = DNNL_VERSION_MAJOR >= 3 ? 50 << 20 : 0;

/// Row-major C (m,n) = alpha A B + beta C, with A (m,k) or, transposed, stored as (k,m); B alike. Leading dimensions
/// are row strides in elements.
struct Gemm {
  bool transposeA = false, transposeB = false;
  std::int64_t m = 0, n = 0, k = 0;
  float alpha = 1;
  const float* a = nullptr;
  std::int64_t lda = 0;
  const float* b = nullptr;
  std::int64_t ldb = 0;
  float beta = 0;
  float* c = nullptr;
  std::int64_t ldc = 0;
};

/// On as many threads as OpenMP would give a region here.
inline void gemmAsConfigured(const Gemm& g) {
  [[maybe_unused]] const dnnl_status_t status = dnnl_sgemm(g.transposeA ? 'T' : 'N', g.transposeB ? 'T' : 'N', g.m, g.n,
                                                           g.k, g.alpha, g.a, g.lda, g.b, g.ldb, g.beta, g.c, g.ldc);
  assert(status == dnnl_success);
}

/// On the calling thread alone, inside a parallel region or not.
inline void gemmOnThisThread(const Gemm& g) {
  const int outer = omp_get_max_threads();
  if (outer != 1) omp_set_num_threads(1);
  gemmAsConfigured(g);
  if (outer != 1) omp_set_num_threads(outer);
}

}  // namespace moe
