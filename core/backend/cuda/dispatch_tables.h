#pragma once
// The Dispatch of core/router on the device: the same lists, whose lengths the host does not know.
#include <cstdint>
#include <memory>

#include "core/router/dispatch.h"
#include "core/tensor/tensor.h"

namespace moe::cuda {

/// What kernels read. Device pointers; see moe::Dispatch for each list. Only expertBegin[E] says how many assignments
/// there are; the lists have room for `room`.
struct DispatchView {
  std::int32_t tokens = 0, experts = 0;        // T, E
  std::int32_t room = 0;                       // at least A: T * slots
  const std::int32_t* expertBegin = nullptr;   // (E+1)
  const std::int32_t* admittedEnd = nullptr;   // (E)
  const std::int32_t* token = nullptr;         // (A)
  const std::int32_t* slot = nullptr;          // (A)
  const float* weight = nullptr;               // (A)
  const std::int32_t* tokenBegin = nullptr;    // (T+1)
  const std::int32_t* assignmentOf = nullptr;  // (admitted)
  bool everyToken = false;  // every expert takes every token in order with weight 1: assignment e*T + t is token t's
};

/// Kept by Dispatch::device.
struct DispatchTables : DeviceTables {
  DispatchView view;
  Tensor integers, weights;  // what the view points into
};

}  // namespace moe::cuda
