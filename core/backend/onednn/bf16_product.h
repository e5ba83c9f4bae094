#pragma once
#include <cstdint>
#include <memory>

#include "core/tensor/dtype.h"

namespace moe {

/// Whether this processor multiplies bf16 in hardware (AVX512-BF16 or AMX), as far as oneDNN may use it.
bool hasBf16Products();

/// Whether a product of these sizes is worth converting its operands: few rows are mostly padding, and a narrow matrix
/// costs more to convert than it is to multiply by.
constexpr std::int64_t kBf16FewestRows = 17, kBf16Narrowest = 32;
inline bool bf16Pays(std::int64_t rows, std::int64_t outputs, std::int64_t inputs) {
  return rows >= kBf16FewestRows && outputs >= kBf16Narrowest && inputs >= kBf16Narrowest;
}

/// Rows of a product: multiples of kBf16Granule, at most kBf16MaxRows.
constexpr std::int64_t kBf16Granule = 16, kBf16MaxRows = 256;
constexpr std::int64_t bf16Padded(std::int64_t rows) { return (rows + kBf16Granule - 1) / kBf16Granule * kBf16Granule; }

/// A matrix product of bf16 operands into f32, in one of three layouts, for every number of rows.
struct Bf16ProductShape {
  enum class Layout {
    timesTransposed,  // c (rows, n) = a (rows, k) b^T, b (n, k)
    times,            // c (rows, n) = a (rows, k) b, b (k, n)
    gradient,         // c (k, n) = a^T b, a (rows, k), b (rows, n)
  } layout = Layout::times;
  std::int64_t n = 0, k = 0;
  bool accumulate = false;  // c += instead
  auto operator<=>(const Bf16ProductShape&) const = default;
};

/// Its primitives, one a number of rows: a fixed shape is what oneDNN 2.6 has AMX for.
class Bf16Product {
 public:
  virtual ~Bf16Product() = default;
  /// All operands dense. On the calling thread alone; `thread`: its index, below the number of Bf16Products' threads.
  virtual void run(int thread, std::int64_t rows, const BFloat16* a, const BFloat16* b, float* c) const = 0;
};

/// Every product that was asked for, made when first asked for, so that later none is. Making one takes a few
/// milliseconds; `run` may be called from several threads at once, each with working memory of its own.
class Bf16Products {
 public:
  explicit Bf16Products(int threads);
  Bf16Products(Bf16Products&&) noexcept;
  Bf16Products& operator=(Bf16Products&&) noexcept;
  ~Bf16Products();
  /// Outside parallel regions; stays valid.
  const Bf16Product& operator[](const Bf16ProductShape& shape);
  /// One that was made; anywhere.
  const Bf16Product& at(const Bf16ProductShape& shape) const;
  /// How many primitives were made so far.
  std::int64_t made() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moe
