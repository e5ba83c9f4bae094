#pragma once
// device.cuh's body on a GPU. Instructions of compute capability 8.0 have a plain body below it, so that everything
// compiles and is right from 7.0 on.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#define MOE_DEVICE __device__ __forceinline__
#define MOE_CALL static __device__ __noinline__
#define MOE_UNROLL _Pragma("unroll")

namespace moe::cuda {

MOE_DEVICE Axes block() {
  return {static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y), static_cast<int>(blockIdx.z)};
}
MOE_DEVICE Axes blocks() {
  return {static_cast<int>(gridDim.x), static_cast<int>(gridDim.y), static_cast<int>(gridDim.z)};
}
MOE_DEVICE int threadOfBlock() { return static_cast<int>(threadIdx.x); }
MOE_DEVICE int threadsOfBlock() { return static_cast<int>(blockDim.x); }
MOE_DEVICE int lane() { return static_cast<int>(threadIdx.x) & 31; }
MOE_DEVICE int warp() { return static_cast<int>(threadIdx.x) >> 5; }

extern __shared__ unsigned char sharedMemory[] __attribute__((aligned(128)));
template <class T>
MOE_DEVICE T* shared(int byteOffset = 0) {
  return reinterpret_cast<T*>(sharedMemory + byteOffset);
}

MOE_DEVICE void sync() { __syncthreads(); }
MOE_DEVICE void syncWarp() { __syncwarp(); }
constexpr unsigned kEveryLane = 0xffffffffu;
template <class T>
MOE_DEVICE T shuffle(T value, int from) {
  return __shfl_sync(kEveryLane, value, from);
}
template <class T>
MOE_DEVICE T shuffleXor(T value, int mask) {
  return __shfl_xor_sync(kEveryLane, value, mask);
}
template <class T>
MOE_DEVICE T shuffleUp(T value, int by) {
  return __shfl_up_sync(kEveryLane, value, by);
}
MOE_DEVICE std::uint32_t ballot(bool vote) { return __ballot_sync(kEveryLane, vote); }

MOE_DEVICE int addShared(int* at, int value) { return atomicAdd(at, value); }
MOE_DEVICE int addGlobal(int* at, int value) { return atomicAdd(at, value); }
MOE_DEVICE bool arrivedLast(int* counter, int of) {
  __threadfence();
  __syncthreads();
  int last = 0;
  if (threadIdx.x == 0) last = atomicAdd(counter, 1) == of - 1;
  last = __syncthreads_or(last);
  if (last) {
    __threadfence();
    if (threadIdx.x == 0) *counter = 0;
  }
  return last != 0;
}

MOE_DEVICE BFloat16 toBf16(float value) { return {__bfloat16_as_ushort(__float2bfloat16_rn(value))}; }
MOE_DEVICE float fromBf16(BFloat16 value) { return __uint_as_float(static_cast<std::uint32_t>(value.bits) << 16); }
MOE_DEVICE std::uint32_t packBf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return static_cast<std::uint32_t>(__bfloat16_as_ushort(pair.x)) |
         static_cast<std::uint32_t>(__bfloat16_as_ushort(pair.y)) << 16;
}

MOE_DEVICE void copyAsync16(void* to, const void* from, bool valid = true) {
#if __CUDA_ARCH__ >= 800
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(bytes) : "memory");
#else
  *static_cast<uint4*>(to) = valid ? *static_cast<const uint4*>(from) : uint4{0, 0, 0, 0};
#endif
}
MOE_DEVICE void commitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int kOpen>
MOE_DEVICE void waitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kOpen) : "memory");
#endif
}

MOE_DEVICE void loadMatrix4(std::uint32_t (&r)[4], const void* row) {
#if __CUDA_ARCH__ >= 750
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
#else
  const auto mine = reinterpret_cast<unsigned long long>(row);
  for (int tile = 0; tile < 4; ++tile) {
    const auto from = reinterpret_cast<const std::uint32_t*>(shuffle(mine, tile * 8 + lane() / 4));
    r[tile] = from[lane() % 4];
  }
#endif
}
MOE_DEVICE void loadMatrix4Transposed(std::uint32_t (&r)[4], const void* row) {
#if __CUDA_ARCH__ >= 750
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
#else
  const auto mine = reinterpret_cast<unsigned long long>(row);
  for (int tile = 0; tile < 4; ++tile) {
    const auto low = reinterpret_cast<const std::uint16_t*>(shuffle(mine, tile * 8 + lane() % 4 * 2));
    const auto high = reinterpret_cast<const std::uint16_t*>(shuffle(mine, tile * 8 + lane() % 4 * 2 + 1));
    r[tile] = low[lane() / 4] | static_cast<std::uint32_t>(high[lane() / 4]) << 16;
  }
#endif
}

}  // namespace moe::cuda

#include "core/backend/cuda/tile_by_parts.cuh"

namespace moe::cuda {

MOE_DEVICE void multiplyTile(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  const Float4 sum = multiplyTileByParts({c[0], c[1], c[2], c[3]}, {a[0], a[1], a[2], a[3]}, {b[0], b[1]});
  c[0] = sum.x, c[1] = sum.y, c[2] = sum.z, c[3] = sum.w;
#endif
}

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads) runKernel(const __grid_constant__ Kernel kernel) {
  kernel();
}
/// What the runtime launches.
template <class Kernel>
const void* entryOf() {
  static_assert(Kernel::kName != nullptr);  // for profilers and the executor's messages
  return reinterpret_cast<const void*>(&runKernel<Kernel>);
}

}  // namespace moe::cuda
