#include "core/backend/onednn/bf16_weights.h"

namespace moe {

const BFloat16* Bf16Weights::of(const TensorView& weight,
                                const std::function<void(BFloat16*, const TensorView&)>& convert) {
  Copy& copy = copies_[weight.as<float>()];
  if (copy.values.elements() != weight.elements()) {
    copy = {.values = hostTensor({weight.elements()}, DType::bf16)};
    ++allocations_;
  }
  if (!copy.fresh) convert(copy.values.as<BFloat16>(), weight);
  copy.fresh = true;
  return copy.values.as<BFloat16>();
}

BFloat16* Bf16Weights::refreshed(const TensorView& parameter) {
  const auto found = copies_.find(parameter.as<float>());
  changed(parameter);
  if (found == copies_.end() || found->second.values.elements() != parameter.elements()) return nullptr;
  found->second.fresh = true;
  return found->second.values.as<BFloat16>();
}

void Bf16Weights::changed(const TensorView& written) {
  const auto *begin = static_cast<const float*>(written.data), *end = begin + written.elements();
  for (auto& [first, copy] : copies_)
    if (first < end && begin < first + copy.values.elements()) copy.fresh = false;
}

void Bf16Weights::forget(const void* begin, std::size_t bytes) {
  const auto *from = static_cast<const float*>(begin), *to = from + bytes / sizeof(float);
  std::erase_if(copies_, [&](const auto& entry) {
    return entry.first < to && from < entry.first + entry.second.values.elements();
  });
}

}  // namespace moe
