#pragma once
#include <cstdint>

#include "core/tensor/tensor.h"

namespace moe {

/// What a draw is for. Each stream is independent of the others; numbers are part of the file format: append only.
enum class RandomStream : std::uint8_t {
  parameters = 0,
  batches = 1,
  inputJitter = 2,
  logitNoise = 3,
  wholeExpertDropout = 4,
  randomSecond = 5,
  forceToken = 6,
  forceExpert = 7,
  expertDropout = 8,
  hashTable = 9,
  sampling = 10,
  corpus = 11,
  newExperts = 12,
};

/// A place in the counter space of Philox 4x32-10: the same key and index give the same number on every machine, in
/// any order, on any number of threads.
struct RandomKey {
  std::uint64_t seed = 0;
  RandomStream stream = RandomStream::parameters;
  std::uint64_t step = 0;   // below 2^40
  std::uint32_t layer = 0;  // below 2^16; for parameters: the segment's index
};

/// Four independent 32-bit words for draw `block` of `token`.
struct RandomWords {
  std::uint32_t word[4];
};
RandomWords randomWords(const RandomKey& key, std::uint32_t token, std::uint32_t block);

/// Uniform in [0, 1) with 53 bits from draw `index` of `token`.
double uniformAt(const RandomKey& key, std::uint32_t token, std::uint32_t index);

/// U[low, high) in every element of `out` (rows, columns) or (rows); row r is token firstToken + r. f32 or f64.
void fillUniform(const TensorView& out, const RandomKey& key, double low, double high, std::uint32_t firstToken = 0);
/// N(mean, deviation), Box-Muller, same addressing.
void fillNormal(const TensorView& out, const RandomKey& key, double mean, double deviation,
                std::uint32_t firstToken = 0);

}  // namespace moe
