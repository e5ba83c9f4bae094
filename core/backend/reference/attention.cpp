#include <algorithm>
#include <cmath>

#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

/// Rows of one head, a fixed distance apart.
template <class Scalar>
struct HeadRows {
  Scalar* data = nullptr;
  std::int64_t stride = 0;
  Scalar* operator[](std::int64_t row) const { return data + row * stride; }
};

template <class Scalar>
double dot(const Scalar* a, const Scalar* b, std::int64_t width) {
  double sum = 0;
  for (std::int64_t i = 0; i < width; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// Turns the pairs (i, i + width/2) of `in` by position * theta^(-2i/width); direction -1 turns back. In place is fine.
template <class Scalar>
void rotate(Scalar* out, const Scalar* in, const AttentionSpec& spec, std::int64_t position, double direction) {
  if (spec.ropeTheta == 0) {
    std::copy_n(in, spec.headWidth, out);
    return;
  }
  assert(spec.headWidth % 2 == 0);
  const std::int64_t half = spec.headWidth / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(spec.headWidth);
    const double angle = direction * static_cast<double>(position) * std::pow(spec.ropeTheta, exponent);
    const double a = in[i], b = in[i + half];
    out[i] = static_cast<Scalar>(a * std::cos(angle) - b * std::sin(angle));
    out[i + half] = static_cast<Scalar>(a * std::sin(angle) + b * std::cos(angle));
  }
}

/// out = softmax(query . keys / sqrt(width)) . values over rows [0, count). Returns the logarithm of the softmax's sum.
template <class Scalar>
double attendRow(Scalar* out, const Scalar* query, HeadRows<Scalar> keys, HeadRows<Scalar> values, std::int64_t count,
                 std::int64_t width, std::span<double> work /*(count + width), zeroed*/) {
  const auto scores = work.first(static_cast<std::size_t>(count)), mixed = work.last(static_cast<std::size_t>(width));
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  for (std::int64_t j = 0; j < count; ++j) scores[static_cast<std::size_t>(j)] = scale * dot(query, keys[j], width);
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - largest);
  const double logSum = largest + std::log(sum);
  for (std::int64_t j = 0; j < count; ++j) {
    const double probability = std::exp(scores[static_cast<std::size_t>(j)] - logSum);
    for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] += probability * values[j][i];
  }
  for (std::size_t i = 0; i < mixed.size(); ++i) out[i] = static_cast<Scalar>(mixed[i]);
  return logSum;
}

/// What forward keeps for backward: rotated queries and keys, and each row's log-sum-exp.
template <class Scalar>
struct Saved {
  Scalar* rotated;  // (T, heads + kvHeads, headWidth)
  Scalar* logSums;  // (T, heads)
  Saved(const TensorView& saved, const AttentionSpec& spec)
      : rotated(saved.as<Scalar>()),
        logSums(rotated + spec.sequences * spec.length * (spec.heads + spec.kvHeads) * spec.headWidth) {}
};

void checkShapes([[maybe_unused]] const TensorView& out, [[maybe_unused]] const TensorView& qkv,
                 [[maybe_unused]] const AttentionSpec& spec) {
  assert(spec.heads % spec.kvHeads == 0);
  assert(out.elements() == spec.sequences * spec.length * spec.heads * spec.headWidth);
  assert(qkv.elements() == spec.sequences * spec.length * spec.qkvWidth());
}

}  // namespace

std::int64_t ReferenceBackend::attentionSavedElements(const AttentionSpec& spec) const {
  return spec.sequences * spec.length * ((spec.heads + spec.kvHeads) * spec.headWidth + spec.heads);
}

void ReferenceBackend::attention(const TensorView& out, const TensorView& saved, const TensorView& qkv,
                                 const AttentionSpec& spec) {
  const auto timed = timer_.time("attention");
  checkShapes(out, qkv, spec);
  assert(saved.elements() >= attentionSavedElements(spec));
  const std::int64_t width = spec.headWidth, rotatedHeads = spec.heads + spec.kvHeads;
  withScalar(qkv.dtype, [&]<class Scalar>() {
    const Saved<Scalar> keep(saved, spec);
    for (std::int64_t t = 0; t < spec.sequences * spec.length; ++t)
      for (std::int64_t h = 0; h < rotatedHeads; ++h)
        rotate(keep.rotated + (t * rotatedHeads + h) * width, qkv.as<Scalar>() + t * spec.qkvWidth() + h * width, spec,
               t % spec.length, 1);
    for (std::int64_t t = 0; t < spec.sequences * spec.length; ++t)
      for (std::int64_t h = 0; h < spec.heads; ++h) {
        const std::int64_t first = t - t % spec.length, key = spec.heads + h / (spec.heads / spec.kvHeads);
        const std::int64_t count = t - first + 1;
        const HeadRows<Scalar> keys{keep.rotated + (first * rotatedHeads + key) * width, rotatedHeads * width};
        const HeadRows<Scalar> values{qkv.as<Scalar>() + first * spec.qkvWidth() + (key + spec.kvHeads) * width,
                                      spec.qkvWidth()};
        keep.logSums[t * spec.heads + h] = static_cast<Scalar>(
            attendRow(out.as<Scalar>() + (t * spec.heads + h) * width, keep.rotated + (t * rotatedHeads + h) * width,
                      keys, values, count, width, scratch(count + width)));
      }
  });
}

// With probabilities p and delta = dOut . out = sum_j p_j (dOut . v_j): dv_j = p_j dOut, dscore_j = p_j (dOut . v_j -
// delta). dQkv gathers the gradients of the rotated queries and keys; turning them back at the end is rope's own
// backward.
void ReferenceBackend::attentionBackward(const TensorView& dQkv, const TensorView& dOut, const TensorView& out,
                                         const TensorView& saved, const TensorView& qkv, const AttentionSpec& spec) {
  const auto timed = timer_.time("attention backward");
  checkShapes(out, qkv, spec);
  assert(dQkv.elements() == qkv.elements() && dOut.elements() == out.elements());
  const std::int64_t width = spec.headWidth, rotatedHeads = spec.heads + spec.kvHeads;
  const std::int64_t tokens = spec.sequences * spec.length;
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  withScalar(qkv.dtype, [&]<class Scalar>() {
    const Saved<Scalar> kept(saved, spec);
    const auto sums = scratch(dQkv.elements());  // dQkv in f64
    for (std::int64_t t = 0; t < tokens; ++t)
      for (std::int64_t h = 0; h < spec.heads; ++h) {
        const std::int64_t key = spec.heads + h / (spec.heads / spec.kvHeads);
        const Scalar* query = kept.rotated + (t * rotatedHeads + h) * width;
        const Scalar* dRow = dOut.as<Scalar>() + (t * spec.heads + h) * width;
        const double delta = dot(dRow, out.as<Scalar>() + (t * spec.heads + h) * width, width);
        double* dQuery = sums.data() + t * spec.qkvWidth() + h * width;
        for (std::int64_t j = t - t % spec.length; j <= t; ++j) {
          const Scalar* keyRow = kept.rotated + (j * rotatedHeads + key) * width;
          const Scalar* value = qkv.as<Scalar>() + j * spec.qkvWidth() + (key + spec.kvHeads) * width;
          double* dKey = sums.data() + j * spec.qkvWidth() + key * width;
          double* dValue = dKey + spec.kvHeads * width;
          const double probability = std::exp(scale * dot(query, keyRow, width) - kept.logSums[t * spec.heads + h]);
          const double dScore = scale * probability * (dot(dRow, value, width) - delta);
          for (std::int64_t i = 0; i < width; ++i) {
            dQuery[i] += dScore * keyRow[i];
            dKey[i] += dScore * query[i];
            dValue[i] += probability * dRow[i];
          }
        }
      }
    for (std::int64_t t = 0; t < tokens; ++t) {
      double* row = sums.data() + t * spec.qkvWidth();
      for (std::int64_t h = 0; h < rotatedHeads; ++h)
        rotate(row + h * width, row + h * width, spec, t % spec.length, -1);
    }
    for (std::int64_t i = 0; i < dQkv.elements(); ++i)
      dQkv.as<Scalar>()[i] = static_cast<Scalar>(sums[static_cast<std::size_t>(i)]);
  });
}

void ReferenceBackend::attentionNext(const TensorView& out, const KeyValueCache& cache, const TensorView& qkv,
                                     const AttentionSpec& spec, std::int64_t position) {
  const auto timed = timer_.time("attention next");
  assert(spec.sequences == 1 && spec.length == 1);
  checkShapes(out, qkv, spec);
  assert(position >= 0 && position < cache.keys.shape[0] && cache.values.shape == cache.keys.shape);
  const std::int64_t width = spec.headWidth, cacheRow = spec.kvHeads * width;
  assert(cache.keys.shape.rowElements() == cacheRow);
  withScalar(qkv.dtype, [&]<class Scalar>() {
    const Scalar* keys = qkv.as<Scalar>() + spec.heads * width;
    for (std::int64_t k = 0; k < spec.kvHeads; ++k)
      rotate(cache.keys.as<Scalar>() + position * cacheRow + k * width, keys + k * width, spec, position, 1);
    std::copy_n(keys + cacheRow, cacheRow, cache.values.as<Scalar>() + position * cacheRow);
    for (std::int64_t h = 0; h < spec.heads; ++h) {
      Scalar* row = out.as<Scalar>() + h * width;
      const std::int64_t key = h / (spec.heads / spec.kvHeads);
      rotate(row, qkv.as<Scalar>() + h * width, spec, position, 1);  // the row holds its query until it is overwritten
      attendRow(row, row, HeadRows<Scalar>{cache.keys.as<Scalar>() + key * width, cacheRow},
                HeadRows<Scalar>{cache.values.as<Scalar>() + key * width, cacheRow}, position + 1, width,
                scratch(position + 1 + width));
    }
  });
}

}  // namespace moe
