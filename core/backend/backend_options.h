#pragma once
#include <string>

#include "core/tensor/tensor.h"

namespace moe {

struct BackendOptions {
  std::string name = "onednn";  // reference, onednn
  int threads = 0;              // 0: all cores
  DType computeType = DType::f32;
};

}  // namespace moe
