#pragma once
#include <algorithm>

#include "core/backend/onednn/bf16_rows.h"
#include "core/backend/onednn/experts_bank.h"
#include "core/backend/onednn/padded_rows.h"

namespace moe {

/// What forward leaves to backward in bf16: the hidden activation and its slopes, rows padded as PaddedRows says.
struct SavedHidden {
  BFloat16* data = nullptr;
  std::int64_t stride = 0;  // elements from one array to the next
  BFloat16* at(const ExpertsBank& bank, const PaddedRows& rows, std::int64_t array, std::int32_t e,
               std::int64_t row) const {
    const std::int64_t begin = rows.begin[static_cast<std::size_t>(e)];
    return data + array * stride + begin * bank.widest + (row - begin) * bank.hidden(e);
  }
};

/// Elements (f32) of the saved arrays.
inline std::int64_t savedElementsBf16(const ExpertsSpec& spec, std::int64_t maxAssignments) {
  const std::int64_t rows = PaddedRows::most(maxAssignments, spec.experts());
  return (ExpertsBank::savedArrays(spec.kind) * rows * widestHidden(spec) + 1) / 2;
}
inline SavedHidden savedHidden(const TensorView& saved, const ExpertsSpec& spec) {
  return {asBf16(saved.as<float>()), 2 * saved.elements() / ExpertsBank::savedArrays(spec.kind)};
}

/// Most rows of one task: what an expert multiplies before its activation takes half of the L2 cache.
inline std::int64_t rowsOfTaskBf16(const ExpertsSpec& spec, std::int64_t widest) {
  const std::int64_t arrays = spec.kind == ExpertKind::mlp ? 1 : 2;
  return std::clamp<std::int64_t>(131072 / (arrays * widest) / kBf16Granule * kBf16Granule, 64, kBf16MaxRows);
}

/// The part of a whole parameter's bf16 copy that is expert e's up, gate or down.
inline const BFloat16* upPart(const ExpertsBank& bank, const BFloat16* copy, const TensorView& weight, std::int32_t e) {
  return copy + (bank.upMatrix(weight, e) - weight.as<float>());
}
inline const BFloat16* downPart(const ExpertsBank& bank, const BFloat16* copy, const TensorView& weight,
                                std::int32_t e) {
  return copy + (bank.downMatrix(weight, e) - weight.as<float>());
}

/// bf16 copies of a bank's matrices; gate is null where the kind has none.
struct NarrowExperts {
  const BFloat16 *gate = nullptr, *up = nullptr, *down = nullptr;
};

}  // namespace moe
