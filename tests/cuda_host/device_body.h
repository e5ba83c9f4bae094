#pragma once
// device.cuh's body on the host executor.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/tensor/dtype.h"
#include "tests/cuda_host/executor.h"

#define MOE_DEVICE inline
#define MOE_CALL inline
#define MOE_UNROLL

namespace moe::cuda {

inline Axes block() { return {host::running->block[0], host::running->block[1], host::running->block[2]}; }
inline Axes blocks() { return {host::running->blocks[0], host::running->blocks[1], host::running->blocks[2]}; }
inline int threadOfBlock() { return host::running->index; }
inline int threadsOfBlock() { return host::running->threads; }
inline int lane() { return host::running->index % 32; }
inline int warp() { return host::running->index / 32; }

template <class T>
T* shared(int byteOffset = 0) {
  return reinterpret_cast<T*>(host::running->shared + byteOffset);
}

inline void sync() { host::sync(); }
inline void syncWarp() { host::exchange(host::Exchange::syncWarp, nullptr, 0); }

template <class T>
T exchanged(const unsigned char* rooms, int from) {
  T value;
  std::memcpy(&value, rooms + from * host::kExchangeBytes, sizeof(T));
  return value;
}
template <class T>
T shuffle(T value, int from) {
  return exchanged<T>(host::exchange(host::Exchange::shuffle, &value, sizeof(T)), from & 31);
}
template <class T>
T shuffleXor(T value, int mask) {
  return shuffle(value, lane() ^ mask);
}
template <class T>
T shuffleUp(T value, int by) {
  return shuffle(value, lane() < by ? lane() : lane() - by);
}
inline std::uint32_t ballot(bool vote) {
  const auto rooms = host::exchange(host::Exchange::ballot, &vote, sizeof(vote));
  std::uint32_t votes = 0;
  for (int i = 0; i < 32; ++i) votes |= static_cast<std::uint32_t>(exchanged<bool>(rooms, i)) << i;
  return votes;
}

inline int addShared(int* at, int value) {
  const int before = *at;
  *at += value;
  return before;
}
inline int addGlobal(int* at, int value) { return addShared(at, value); }
inline bool arrivedLast(int* counter, int of) {
  sync();
  if (threadOfBlock() == 0) {
    host::blockFlag = ++*counter == of;
    if (host::blockFlag) *counter = 0;
  }
  sync();
  return host::blockFlag != 0;
}

inline BFloat16 toBf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if (std::isnan(value)) return {0x7fff};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}
inline float fromBf16(BFloat16 value) {
  const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, 4);
  return result;
}
inline std::uint32_t packBf16(float low, float high) {
  return toBf16(low).bits | static_cast<std::uint32_t>(toBf16(high).bits) << 16;
}

inline void copyAsync16(void* to, const void* from, bool valid = true) { host::copyLater(to, from, valid); }
inline void commitCopies() { host::commitCopies(); }
template <int kOpen>
void waitCopies() {
  host::waitCopies(kOpen);
}

/// Lane i gives row i % 8 of tile i / 8; lane i receives word i % 4 of each tile's row i / 4.
inline void loadMatrix4(std::uint32_t (&r)[4], const void* row) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) host::fail("loadMatrix4 needs rows aligned to 16 bytes");
  const auto rooms = host::exchange(host::Exchange::loadMatrix, &row, sizeof(row));
  for (int tile = 0; tile < 4; ++tile)
    std::memcpy(&r[tile], exchanged<const unsigned char*>(rooms, tile * 8 + lane() / 4) + lane() % 4 * 4, 4);
}
inline void loadMatrix4Transposed(std::uint32_t (&r)[4], const void* row) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0)
    host::fail("loadMatrix4Transposed needs rows aligned to 16 bytes");
  const auto rooms = host::exchange(host::Exchange::loadMatrix, &row, sizeof(row));
  for (int tile = 0; tile < 4; ++tile) {
    std::uint16_t pair[2];
    for (int i = 0; i < 2; ++i)
      std::memcpy(&pair[i], exchanged<const unsigned char*>(rooms, tile * 8 + lane() % 4 * 2 + i) + lane() / 4 * 2, 2);
    r[tile] = pair[0] | static_cast<std::uint32_t>(pair[1]) << 16;
  }
}

inline void multiplyTile(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  struct Fragments {
    std::uint32_t a[4], b[2];
  } mine;
  std::memcpy(mine.a, a, sizeof(a));
  std::memcpy(mine.b, b, sizeof(b));
  const auto rooms = host::exchange(host::Exchange::multiply, &mine, sizeof(mine));
  const int group = lane() / 4, pair = lane() % 4;
  const auto half = [](std::uint32_t word, int index) {
    return fromBf16({static_cast<std::uint16_t>(index != 0 ? word >> 16 : word)});
  };
  for (int k = 0; k < 16; ++k) {
    const int word = k / 8, inner = k % 8 / 2;
    const auto left = exchanged<Fragments>(rooms, group * 4 + inner);
    for (int column = 0; column < 2; ++column) {
      const float right = half(exchanged<Fragments>(rooms, (pair * 2 + column) * 4 + inner).b[word], k % 2);
      c[column] += half(left.a[word * 2], k % 2) * right;
      c[2 + column] += half(left.a[word * 2 + 1], k % 2) * right;
    }
  }
}

/// A kernel as the runtime keeps it.
struct HostEntry {
  void (*body)(const void*);
  const char* name;
};
template <class Kernel>
const void* entryOf() {
  static const HostEntry entry{[](const void* arguments) { (*static_cast<const Kernel*>(arguments))(); },
                               Kernel::kName};
  return &entry;
}

}  // namespace moe::cuda
