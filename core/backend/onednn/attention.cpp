// Bound by arithmetic: small GEMMs, with the exponential of every score; 29 to 40 % of the sgemm peak, counting half
// the scores (blocks of 64 queries compute 1.25 to 1.5 times that at 256 to 128 positions). The (S, S) probabilities
// are never stored: a task holds one block of queries, forward keeps each row's log-sum-exp, and backward computes the
// block again (Dao 2022, section 3). One task owns a sequence's head (backward: its key head), so no sum crosses tasks.
#include <cmath>

#include "core/backend/onednn/attention_rows.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"

namespace moe {
namespace {

constexpr std::int64_t kBlock = 64;  // queries a block: scores (64, S) stay in L2 up to S of about 2000

/// Rows of one head, a fixed distance apart.
struct HeadRows {
  float* data = nullptr;
  std::int64_t stride = 0;
  float* at(std::int64_t row) const { return data + row * stride; }
};

/// A head of a packed (T, qkvWidth) tensor from a sequence's first token on.
HeadRows headOf(const TensorView& qkv, const AttentionSpec& spec, std::int64_t sequence, std::int64_t head) {
  return {qkv.as<float>() + sequence * spec.length * spec.qkvWidth() + head * spec.headWidth, spec.qkvWidth()};
}

/// The head itself, or, with rotary positions, its rotated copy in `memory` (length, headWidth).
HeadRows rotated(HeadRows rows, const float* rotations, const AttentionSpec& spec, float* memory) {
  if (!rotations) return rows;
  rotateRows(memory, spec.headWidth, rows.data, rows.stride, rotations, 1, spec.length, spec.headWidth);
  return {memory, spec.headWidth};
}

/// out (rows, n) = alpha a (rows, k) b^T or b + beta out.
void product(HeadRows out, HeadRows a, HeadRows b, bool transposeB, std::int64_t rows, std::int64_t n, std::int64_t k,
             float alpha = 1, float beta = 0) {
  gemmOnThisThread({.transposeB = transposeB,
                    .m = rows,
                    .n = n,
                    .k = k,
                    .alpha = alpha,
                    .a = a.data,
                    .lda = a.stride,
                    .b = b.data,
                    .ldb = b.stride,
                    .beta = beta,
                    .c = out.data,
                    .ldc = out.stride});
}

/// out (keys, width) = block^T (keys, rows) b (rows, width) + beta out.
void transposedProduct(HeadRows out, HeadRows block, HeadRows b, std::int64_t keys, std::int64_t width,
                       std::int64_t rows, float beta) {
  gemmOnThisThread({.transposeA = true,
                    .m = keys,
                    .n = width,
                    .k = rows,
                    .a = block.data,
                    .lda = block.stride,
                    .b = b.data,
                    .ldb = b.stride,
                    .beta = beta,
                    .c = out.data,
                    .ldc = out.stride});
}

void forwardHead(const TensorView& out, const TensorView& logSums, const TensorView& qkv, const AttentionSpec& spec,
                 const float* rotations, std::int64_t sequence, std::int64_t head, float* memory) {
  const std::int64_t length = spec.length, width = spec.headWidth;
  const std::int64_t keyHead = spec.heads + head / (spec.heads / spec.kvHeads);
  const HeadRows queries = rotated(headOf(qkv, spec, sequence, head), rotations, spec, memory);
  const HeadRows keys = rotated(headOf(qkv, spec, sequence, keyHead), rotations, spec, memory + length * width);
  const HeadRows values = headOf(qkv, spec, sequence, keyHead + spec.kvHeads);
  const std::int64_t outStride = spec.heads * width, firstToken = sequence * length;
  float *scores = memory + 2 * length * width, *inverseSum = scores + kBlock * length;
  for (std::int64_t begin = 0; begin < length; begin += kBlock) {
    const std::int64_t end = std::min(length, begin + kBlock), rows = end - begin;
    product({scores, length}, {queries.at(begin), queries.stride}, keys, true, rows, end, width,
            1.0f / std::sqrt(static_cast<float>(width)));
    float* logSum = logSums.empty() ? nullptr : logSums.as<float>() + (firstToken + begin) * spec.heads + head;
    causalSoftmax(scores, inverseSum, logSum, spec.heads, begin, rows, end, length);
    const HeadRows to{out.as<float>() + (firstToken + begin) * outStride + head * width, outStride};
    product(to, {scores, length}, values, false, rows, width, end);
    scaleRows(to.data, to.stride, inverseSum, rows, width);
  }
}

// With probabilities p and delta = dOut . out: dv_j = p_j dOut, dscore_j = p_j (dOut . v_j - delta). Blocks of queries
// run from the last, which meets every key, to the first: the first one met writes the keys' gradients, the others add.
void backwardKeyHead(const TensorView& dQkv, const TensorView& dOut, const TensorView& out, const TensorView& logSums,
                     const TensorView& qkv, const AttentionSpec& spec, const float* rotations, std::int64_t sequence,
                     std::int64_t keyHead, float* memory) {
  const std::int64_t length = spec.length, width = spec.headWidth, group = spec.heads / spec.kvHeads;
  const std::int64_t outStride = spec.heads * width, firstToken = sequence * length;
  const float scale = 1.0f / std::sqrt(static_cast<float>(width));
  const std::int64_t key = spec.heads + keyHead, value = key + spec.kvHeads;
  const HeadRows keys = rotated(headOf(qkv, spec, sequence, key), rotations, spec, memory + length * width);
  const HeadRows values = headOf(qkv, spec, sequence, value);
  const HeadRows dKeys = headOf(dQkv, spec, sequence, key), dValues = headOf(dQkv, spec, sequence, value);
  float *scores = memory + 2 * length * width, *dScores = scores + kBlock * length, *delta = dScores + kBlock * length;
  const std::int64_t lastBlock = (length - 1) / kBlock * kBlock;
  for (std::int64_t head = keyHead * group; head < (keyHead + 1) * group; ++head) {
    const HeadRows queries = rotated(headOf(qkv, spec, sequence, head), rotations, spec, memory);
    const HeadRows dQueries = headOf(dQkv, spec, sequence, head);
    for (std::int64_t begin = lastBlock; begin >= 0; begin -= kBlock) {
      const std::int64_t end = std::min(length, begin + kBlock), rows = end - begin;
      const float beta = head == keyHead * group && begin == lastBlock ? 0.0f : 1.0f;
      const HeadRows query{queries.at(begin), queries.stride};
      const std::int64_t outAt = (firstToken + begin) * outStride + head * width;
      const HeadRows dRows{dOut.as<float>() + outAt, outStride};
      rowDots(delta, dRows.data, out.as<float>() + outAt, outStride, rows, width);
      product({scores, length}, query, keys, true, rows, end, width, scale);
      causalProbabilities(scores, logSums.as<float>() + (firstToken + begin) * spec.heads + head, spec.heads, begin,
                          rows, end, length);
      transposedProduct(dValues, {scores, length}, dRows, end, width, rows, beta);
      product({dScores, length}, dRows, values, true, rows, end, width);
      softmaxBackward(dScores, scores, delta, scale, rows, end, length);
      product({dQueries.at(begin), dQueries.stride}, {dScores, length}, keys, false, rows, width, end);
      transposedProduct(dKeys, {dScores, length}, query, end, width, rows, beta);
    }
    if (rotations)
      rotateRows(dQueries.data, dQueries.stride, dQueries.data, dQueries.stride, rotations, -1, length, width);
  }
  if (rotations) rotateRows(dKeys.data, dKeys.stride, dKeys.data, dKeys.stride, rotations, -1, length, width);
}

}  // namespace

const float* OnednnBackend::rotations(const AttentionSpec& spec, std::int64_t length) {
  if (spec.ropeTheta == 0) return nullptr;
  assert(spec.headWidth % 2 == 0);
  if (rotationTheta_ != spec.ropeTheta || rotationWidth_ != spec.headWidth) rotations_.clear();
  rotationTheta_ = spec.ropeTheta;
  rotationWidth_ = spec.headWidth;
  const std::int64_t width = spec.headWidth, half = width / 2;
  const auto have = static_cast<std::int64_t>(rotations_.size()) / width;
  if (have >= length) return rotations_.data();
  rotations_.resize(static_cast<std::size_t>(length * width));
  for (std::int64_t position = have; position < length; ++position)
    for (std::int64_t i = 0; i < half; ++i) {
      const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(width);
      const double angle = static_cast<double>(position) * std::pow(spec.ropeTheta, exponent);
      rotations_[static_cast<std::size_t>(position * width + i)] = static_cast<float>(std::cos(angle));
      rotations_[static_cast<std::size_t>(position * width + half + i)] = static_cast<float>(std::sin(angle));
    }
  return rotations_.data();
}

std::int64_t OnednnBackend::attentionSavedElements(const AttentionSpec& spec) const {
  return spec.sequences * spec.length * spec.heads;  // log-sum-exp of each row
}

void OnednnBackend::attention(const TensorView& out, const TensorView& saved, const TensorView& qkv,
                              const AttentionSpec& spec) {
  const auto timed = timer_.time("attention");
  assert(spec.heads % spec.kvHeads == 0 && qkv.elements() == spec.sequences * spec.length * spec.qkvWidth());
  assert(saved.empty() || saved.elements() >= attentionSavedElements(spec));
  const float* turns = rotations(spec, spec.length);
  scratch_.reserve(2 * spec.length * spec.headWidth + kBlock * spec.length + kBlock);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
  for (std::int64_t task = 0; task < spec.sequences * spec.heads; ++task)
    forwardHead(out, saved, qkv, spec, turns, task / spec.heads, task % spec.heads,
                scratch_.ofThread(omp_get_thread_num()));
}

void OnednnBackend::attentionBackward(const TensorView& dQkv, const TensorView& dOut, const TensorView& out,
                                      const TensorView& saved, const TensorView& qkv, const AttentionSpec& spec) {
  const auto timed = timer_.time("attention backward");
  assert(dQkv.elements() == qkv.elements() && dOut.elements() == out.elements());
  assert(saved.elements() >= attentionSavedElements(spec));
  const float* turns = rotations(spec, spec.length);
  scratch_.reserve(2 * spec.length * spec.headWidth + 2 * kBlock * spec.length + kBlock);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
  for (std::int64_t task = 0; task < spec.sequences * spec.kvHeads; ++task)
    backwardKeyHead(dQkv, dOut, out, saved, qkv, spec, turns, task / spec.kvHeads, task % spec.kvHeads,
                    scratch_.ofThread(omp_get_thread_num()));
}

void OnednnBackend::attentionNext(const TensorView& out, const KeyValueCache& cache, const TensorView& qkv,
                                  const AttentionSpec& spec, std::int64_t position) {
  const auto timed = timer_.time("attention next");
  assert(spec.sequences == 1 && spec.length == 1 && qkv.elements() == spec.qkvWidth());
  assert(position >= 0 && position < cache.keys.shape[0] && cache.values.shape == cache.keys.shape);
  const std::int64_t width = spec.headWidth, cacheRow = spec.kvHeads * width;
  const float* turns = rotations(spec, cache.keys.shape[0]);
  float* queries = scratch_.shared(0, spec.heads * width);
  float* keys = cache.keys.as<float>() + position * cacheRow;
  std::copy_n(qkv.as<float>(), spec.heads * width, queries);
  std::copy_n(qkv.as<float>() + spec.heads * width, cacheRow, keys);
  std::copy_n(qkv.as<float>() + spec.heads * width + cacheRow, cacheRow,
              cache.values.as<float>() + position * cacheRow);
  if (turns) {
    const float* turn = turns + position * width;
    for (std::int64_t h = 0; h < spec.heads; ++h)
      rotateRows(queries + h * width, width, queries + h * width, width, turn, 1, 1, width);
    for (std::int64_t h = 0; h < spec.kvHeads; ++h)
      rotateRows(keys + h * width, width, keys + h * width, width, turn, 1, 1, width);
  }
  scratch_.reserve(cache.keys.shape[0]);
#pragma omp parallel for num_threads(threadsFor(2 * (position + 1) * cacheRow)) schedule(static)
  for (std::int64_t h = 0; h < spec.heads; ++h) {
    const std::int64_t keyHead = h / (spec.heads / spec.kvHeads);
    attendPast(out.as<float>() + h * width, queries + h * width, cache.keys.as<float>() + keyHead * width,
               cache.values.as<float>() + keyHead * width, scratch_.ofThread(omp_get_thread_num()), position + 1, width,
               cacheRow);
  }
}

}  // namespace moe
