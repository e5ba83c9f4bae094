#pragma once
#include <optional>
#include <string_view>

#include "core/tensor/dtype.h"

namespace moe {

constexpr DType kSafetensorsTypes[] = {DType::f32, DType::f64, DType::bf16, DType::i32, DType::i64, DType::u8};

constexpr std::string_view safetensorsName(DType dtype) {
  switch (dtype) {
    case DType::f32: return "F32";
    case DType::f64: return "F64";
    case DType::bf16: return "BF16";
    case DType::i32: return "I32";
    case DType::i64: return "I64";
    case DType::u8: return "U8";
  }
  return "?";
}

constexpr std::optional<DType> dtypeOfSafetensors(std::string_view name) {
  for (const DType dtype : kSafetensorsTypes)
    if (safetensorsName(dtype) == name) return dtype;
  return std::nullopt;
}

}  // namespace moe
