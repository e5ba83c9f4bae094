#pragma once
// Neighbouring f32 numbers moved together: four by one instruction where rows allow it, else one.
#include <cstdint>
#include <initializer_list>

#include "core/backend/cuda/device.cuh"

namespace moe::cuda {

/// Whether rows of this width at these addresses can be moved four at a time. A null address can.
inline bool inFours(std::int64_t width, std::initializer_list<const void*> addresses) {
  bool can = width % 4 == 0;
  for (const void* address : addresses) can = can && reinterpret_cast<std::uintptr_t>(address) % sizeof(Float4) == 0;
  return can;
}

template <int kVector>
MOE_DEVICE void load(float (&to)[kVector], const float* from) {
  static_assert(kVector == 1 || kVector == 4);
  if constexpr (kVector == 4) {
    const Float4 four = *reinterpret_cast<const Float4*>(from);
    to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
  } else {
    to[0] = *from;
  }
}

template <int kVector>
MOE_DEVICE void store(float* to, const float (&from)[kVector]) {
  if constexpr (kVector == 4) {
    *reinterpret_cast<Float4*>(to) = {from[0], from[1], from[2], from[3]};
  } else {
    *to = from[0];
  }
}

/// Four need an address aligned to 8 bytes.
template <int kVector>
MOE_DEVICE void store(BFloat16* to, const float (&from)[kVector]) {
  if constexpr (kVector == 4) {
    *reinterpret_cast<UInt2*>(to) = {packBf16(from[0], from[1]), packBf16(from[2], from[3])};
  } else {
    *to = toBf16(from[0]);
  }
}

template <int kVector>
MOE_DEVICE void clear(float (&values)[kVector]) {
  MOE_UNROLL
  for (int k = 0; k < kVector; ++k) values[k] = 0;
}

template <int kVector>
MOE_DEVICE void addTo(float (&sum)[kVector], const float (&values)[kVector]) {
  MOE_UNROLL
  for (int k = 0; k < kVector; ++k) sum[k] += values[k];
}

/// Shared memory that sumRows asks for.
template <int kVector, int kThreads>
constexpr int kSumRowsBytes = kThreads* kVector* static_cast<int>(sizeof(float));

/// The sum of `rows` rows of `width` numbers, always in the same order; rowAt(r) is a row's address. give(i, values):
/// numbers i.. of the sum. The whole block of kThreads takes part; `room` is free again after the next sync().
template <int kVector, int kThreads, class RowAt, class Give>
MOE_DEVICE void sumRows(int rows, int width, float* room, RowAt&& rowAt, Give&& give) {
  const int vectors = width / kVector;
  int across = kWarp;  // threads side by side; the rest share the rows
  while (across < vectors && across < kThreads) across *= 2;
  const int slots = kThreads / across, column = threadOfBlock() % across, slot = threadOfBlock() / across;
  for (int begin = 0; begin < vectors; begin += across) {  // once where rows are shared
    const int i = (begin + column) * kVector;
    const bool mine = begin + column < vectors;
    float sum[kVector];
    clear(sum);
    if (mine)
      for (int r = slot; r < rows; r += slots) {
        float values[kVector];
        load(values, rowAt(r) + i);
        addTo(sum, values);
      }
    if (slots > 1) {
      store(room + threadOfBlock() * kVector, sum);
      sync();
      if (slot == 0)
        for (int other = 1; other < slots; ++other) {
          float values[kVector];
          load(values, room + (other * across + column) * kVector);
          addTo(sum, values);
        }
    }
    if (mine && slot == 0) give(i, sum);
  }
}

}  // namespace moe::cuda
