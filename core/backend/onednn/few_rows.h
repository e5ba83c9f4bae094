#pragma once
#include <cstdint>

namespace moe {

/// Up to so many rows a product costs what reading its weights costs.
constexpr std::int64_t kFewRows = 4;

/// y (rows, O) = x (rows, I) W^T (O, I), + y where accumulate, on the calling thread; 1 <= rows <= kFewRows. Row
/// strides ldy, ldx, ldw. An element's sum depends only on its operands and `rows`, not on which outputs a call covers.
void fewRowsTimesWeight(float* y, std::int64_t ldy, const float* x, std::int64_t ldx, const float* weight,
                        std::int64_t ldw, std::int64_t rows, std::int64_t outputs, std::int64_t inputs,
                        bool accumulate);

}  // namespace moe
