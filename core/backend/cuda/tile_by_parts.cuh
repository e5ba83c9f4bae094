#pragma once
// multiplyTile for chips without bf16 tiles (before 8.0), on shuffles alone; included by device_cuda.cuh, tried by the
// host executor. A call and no inline code: hundreds of these unrolled in one kernel keep ptxas busy for half an hour.
namespace moe::cuda {

/// c (16, 8) += a (16, 16) b (16, 8), the fragments of mma.m16n8k16: c.x, c.y of the row lane / 4, c.z, c.w of that + 8.
MOE_CALL Float4 multiplyTileByParts(Float4 c, UInt4 a, UInt2 b) {
  const int group = lane() / 4, pair = lane() % 4;
  for (int pairOfK = 0; pairOfK < 8; ++pairOfK) {
    const int from = group * 4 + pairOfK % 4;
    const std::uint32_t upper = shuffle(pairOfK < 4 ? a.x : a.z, from), lower = shuffle(pairOfK < 4 ? a.y : a.w, from);
    for (int half = 0; half < 2; ++half) {
      const std::uint32_t right = shuffle(pairOfK < 4 ? b.x : b.y, (pair * 2 + half) * 4 + pairOfK % 4);
      for (int which = 0; which < 2; ++which) {
        const auto number = [which](std::uint32_t two) {
          return fromBf16({static_cast<std::uint16_t>(which == 0 ? two & 0xffffu : two >> 16)});
        };
        (half == 0 ? c.x : c.y) += number(upper) * number(right);
        (half == 0 ? c.z : c.w) += number(lower) * number(right);
      }
    }
  }
  return c;
}

}  // namespace moe::cuda
