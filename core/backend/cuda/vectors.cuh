#pragma once
// kN neighbouring numbers at a time: four where rows are aligned to 16 bytes, else one.
#include "core/backend/cuda/device.cuh"

namespace moe::cuda {

template <int kN>
struct Numbers {
  float value[kN];
};

template <int kN>
MOE_DEVICE Numbers<kN> load(const float* from) {
  Numbers<kN> numbers;
  if constexpr (kN == 4) {
    [[maybe_unused]] const Float4 four = *reinterpret_cast<const Float4*>(from);
    numbers = {{four.x, four.y, four.z, four.w}};
  } else {
    numbers.value[0] = *from;
  }
  return numbers;
}

template <int kN>
MOE_DEVICE void store(float* to, const Numbers<kN>& numbers) {
  if constexpr (kN == 4)
    *reinterpret_cast<Float4*>(to) = {numbers.value[0], numbers.value[1], numbers.value[2], numbers.value[3]};
  else
    *to = numbers.value[0];
}

template <int kN>
MOE_DEVICE void store(BFloat16* to, const Numbers<kN>& numbers) {
  if constexpr (kN == 4)
    *reinterpret_cast<UInt2*>(to) = {packBf16(numbers.value[0], numbers.value[1]),
                                     packBf16(numbers.value[2], numbers.value[3])};
  else
    *to = toBf16(numbers.value[0]);
}

/// Whether rows of this width may be moved four numbers at a time from every one of these addresses.
template <class... Pointers>
bool movesFours(std::int64_t width, const Pointers*... pointers) {
  return width % 4 == 0 && ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
}

}  // namespace moe::cuda
