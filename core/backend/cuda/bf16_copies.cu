#include "core/backend/cuda/bf16_copies.h"

#include "core/backend/cuda/device.cuh"

namespace moe::cuda {
namespace {

struct ConvertToBf16 {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "convert to bf16";
  BFloat16* out;
  const float* in;
  std::int64_t n, quads;  // 0 where `in` is not aligned to 16 bytes

  MOE_DEVICE void operator()() const {
    for (std::int64_t i = globalThread(); i < quads; i += globalThreads()) {
      const Float4 four = reinterpret_cast<const Float4*>(in)[i];
      reinterpret_cast<UInt2*>(out)[i] = {packBf16(four.x, four.y), packBf16(four.z, four.w)};
    }
    for (std::int64_t i = quads * 4 + globalThread(); i < n; i += globalThreads()) out[i] = toBf16(in[i]);
  }
};

}  // namespace

Bf16Copies::~Bf16Copies() {
  for (const auto& [original, copy] : copies_) queue_.release(copy.memory);
  for (BFloat16* memory : outgrown_) queue_.release(memory);
}

template <class Visit>
void Bf16Copies::overlapping(const void* memory, std::size_t bytes, Visit&& visit) {
  const auto begin = static_cast<const std::byte*>(memory);
  auto at = copies_.upper_bound(begin);
  while (at != copies_.begin() && std::prev(at)->first + largest_ > begin) --at;
  while (at != copies_.end() && at->first < begin + bytes) {
    const auto here = at++;
    if (here->first + here->second.bytes > begin) visit(here);
  }
}

const BFloat16* Bf16Copies::reading(const TensorView& view) {
  const auto begin = static_cast<const std::byte*>(view.data);
  auto found = copies_.find(begin);
  if (found != copies_.end() && found->second.bytes < view.bytes()) {
    // Not given back before the end: that would begin what is being put together with the old one.
    outgrown_.push_back(found->second.memory);
    copies_.erase(found);
    found = copies_.end();
  }
  if (found == copies_.end()) {
    const Copy made{view.bytes(), static_cast<BFloat16*>(queue_.allocate(view.bytes() / 2)), false};
    found = copies_.emplace(begin, made).first;
    largest_ = std::max(largest_, view.bytes());
  }
  Copy& copy = found->second;
  if (!copy.fresh) {
    const auto n = static_cast<std::int64_t>(copy.bytes / sizeof(float));
    const auto blocks = std::min<std::int64_t>((n / 4 + ConvertToBf16::kThreads) / ConvertToBf16::kThreads,
                                               4 * queue_.multiprocessors());
    const bool aligned = reinterpret_cast<std::uintptr_t>(view.data) % 16 == 0;
    queue_.launch<ConvertToBf16>({static_cast<int>(blocks), 1, 1}, 0, copy.memory, static_cast<const float*>(view.data),
                                 n, aligned ? n / 4 : 0);
    copy.fresh = true;
  }
  return copy.memory;
}

BFloat16* Bf16Copies::writing(const TensorView& view) {
  const auto found = copies_.find(static_cast<const std::byte*>(view.data));
  if (found == copies_.end() || found->second.bytes != view.bytes()) return nullptr;
  found->second.fresh = true;
  return found->second.memory;
}

void Bf16Copies::written(const TensorView& view) {
  overlapping(view.data, view.bytes(), [](auto at) { at->second.fresh = false; });
}

void Bf16Copies::forget(const void* memory, std::size_t bytes) {
  overlapping(memory, bytes, [this](auto at) {
    queue_.release(at->second.memory);
    copies_.erase(at);
  });
}

}  // namespace moe::cuda
