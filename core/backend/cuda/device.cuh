#pragma once
// All that a kernel asks of the machine it runs on. Two bodies say the same: device_cuda.cuh on a GPU, and the host
// executor of the tests (tests/cuda_host), which runs a block at a time with a fiber for each thread.
//
// A kernel is a plain struct: its members are its arguments, kThreads its block, operator() its body.
//   struct Fill {
//     static constexpr int kThreads = 256;
//     static constexpr const char* kName = "fill";
//     float* out; std::int64_t n; float value;
//     MOE_DEVICE void operator()() const { for (auto i = globalThread(); i < n; i += globalThreads()) out[i] = value; }
//   };
// Blocks are one-dimensional, their threads a multiple of 32; grids have three axes. Blocks never wait for one another.
//
//   Place        block(), blocks(): Axes{x, y, z}. threadOfBlock(), lane() = its 0..31, warp() = its warp in the block.
//   Shared       shared<T>(byteOffset): the block's dynamic shared memory, not cleared.
//   Barriers     sync(): the block, and its shared and global memory. syncWarp(): the warp. Every live thread takes part.
//   Warp         shuffle(v, lane), shuffleXor(v, mask), shuffleUp(v, by) (own v below), ballot(b): all 32 lanes take part.
//   Copies       copyAsync16(shared, global, valid): 16 bytes, zeros where not valid; both aligned to 16.
//                commitCopies() closes a group, waitCopies<N>() waits until at most N groups of this thread are open;
//                others see the data after a sync().
//   Tile         loadMatrix4(r, row), loadMatrix4Transposed(r, row): four 8x8 tiles of 16-bit numbers from shared memory
//                (ldmatrix.x4: lane i gives row i % 8 of tile i / 8, aligned to 16 bytes).
//                multiplyTile(c, a, b): c (16, 8) f32 += a (16, 16) b (16, 8), bf16 (mma.m16n8k16's fragments).
//   Counters     addShared(int*, v), addGlobal(int*, v): atomic, return what was there; integers only, so that no sum's
//                order is left to chance. arrivedLast(counter, of): true in exactly one block of `of`, once the others'
//                earlier writes can be read, and the counter is 0 again; the whole block calls it.
//   bf16         toBf16(f) nearest even, fromBf16(b), packBf16(low, high).
#include <cstdint>

#include "core/tensor/dtype.h"

namespace moe::cuda {
struct Axes {
  int x = 1, y = 1, z = 1;
};
/// Moved by one instruction.
struct alignas(16) Float4 {
  float x, y, z, w;
};
struct alignas(16) UInt4 {
  std::uint32_t x, y, z, w;
};
struct alignas(8) UInt2 {
  std::uint32_t x, y;
};
}  // namespace moe::cuda

#ifdef __CUDACC__
#include "core/backend/cuda/device_cuda.cuh"
#else
#include <device_body.h>  // of the host executor: on the include path of the module that the tests build
#endif

namespace moe::cuda {

constexpr int kWarp = 32;
constexpr float kNegativeInfinity = -__builtin_huge_valf();

/// This thread's index along x over all blocks of the row, and how many there are: for loops over elements.
MOE_DEVICE std::int64_t globalThread() {
  return static_cast<std::int64_t>(block().x) * threadsOfBlock() + threadOfBlock();
}
MOE_DEVICE std::int64_t globalThreads() { return static_cast<std::int64_t>(blocks().x) * threadsOfBlock(); }

template <class T>
MOE_DEVICE T warpSum(T value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value += shuffleXor(value, mask);
  return value;
}
template <class T>
MOE_DEVICE T warpMax(T value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    const T other = shuffleXor(value, mask);
    value = other > value ? other : value;
  }
  return value;
}

/// Sum over the block, given to every thread. `room`: a shared T for each warp; may be used again after the next sync().
template <class T>
MOE_DEVICE T blockSum(T value, T* room) {
  value = warpSum(value);
  if (lane() == 0) room[warp()] = value;
  sync();
  T sum = 0;
  for (int w = 0; w < threadsOfBlock() / kWarp; ++w) sum += room[w];
  return sum;
}
template <class T>
MOE_DEVICE T blockMax(T value, T* room) {
  value = warpMax(value);
  if (lane() == 0) room[warp()] = value;
  sync();
  T most = room[0];
  for (int w = 1; w < threadsOfBlock() / kWarp; ++w) most = room[w] > most ? room[w] : most;
  return most;
}

}  // namespace moe::cuda
