#include "core/tensor/philox.h"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>

namespace moe {
namespace {

double toUnit(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = ((static_cast<std::uint64_t>(high) << 32) | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

template <class Draw>
void fillRows(const TensorView& out, Draw draw) {
  const std::int64_t rows = out.shape.rank() == 0 ? 1 : out.shape[0];
  const std::int64_t columns = rows == 0 ? 0 : out.elements() / rows;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t pair = 0; pair < (columns + 1) / 2; ++pair) {
      const auto [first, second] = draw(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(pair));
      const std::int64_t at = row * columns + 2 * pair;
      const bool both = 2 * pair + 1 < columns;
      if (out.dtype == DType::f64) {
        out.as<double>()[at] = first;
        if (both) out.as<double>()[at + 1] = second;
      } else {
        out.as<float>()[at] = static_cast<float>(first);
        if (both) out.as<float>()[at + 1] = static_cast<float>(second);
      }
    }
}

}  // namespace

RandomWords randomWords(const RandomKey& key, std::uint32_t token, std::uint32_t block) {
  const r123::Philox4x32::ctr_type counter{{token, block, static_cast<std::uint32_t>(key.step),
                                            (static_cast<std::uint32_t>(key.step >> 32) & 0xffu) |
                                                (static_cast<std::uint32_t>(key.stream) << 8) | (key.layer << 16)}};
  const r123::Philox4x32::key_type seed{
      {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)}};
  const auto out = r123::Philox4x32{}(counter, seed);
  return {{out[0], out[1], out[2], out[3]}};
}

double uniformAt(const RandomKey& key, std::uint32_t token, std::uint32_t index) {
  const RandomWords words = randomWords(key, token, index / 2);
  return index % 2 == 0 ? toUnit(words.word[0], words.word[1]) : toUnit(words.word[2], words.word[3]);
}

void fillUniform(const TensorView& out, const RandomKey& key, double low, double high, std::uint32_t firstToken) {
  fillRows(out, [&](std::uint32_t row, std::uint32_t pair) {
    const RandomWords words = randomWords(key, firstToken + row, pair);
    return std::pair{low + (high - low) * toUnit(words.word[0], words.word[1]),
                     low + (high - low) * toUnit(words.word[2], words.word[3])};
  });
}

void fillNormal(const TensorView& out, const RandomKey& key, double mean, double deviation, std::uint32_t firstToken) {
  fillRows(out, [&](std::uint32_t row, std::uint32_t pair) {
    const RandomWords words = randomWords(key, firstToken + row, pair);
    // 1 - u lies in (0, 1], so the logarithm is finite.
    const double radius = deviation * std::sqrt(-2.0 * std::log(1.0 - toUnit(words.word[0], words.word[1])));
    const double angle = 2.0 * std::numbers::pi * toUnit(words.word[2], words.word[3]);
    return std::pair{mean + radius * std::cos(angle), mean + radius * std::sin(angle)};
  });
}

}  // namespace moe
