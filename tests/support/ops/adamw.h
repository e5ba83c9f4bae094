#pragma once
#include "tests/support/op_test.h"

namespace moe::test {

inline std::vector<Op> adamwOps() {
  std::vector<Op> ops;
  for (const std::int64_t elements : {1, 7, 1000})
    for (const std::int64_t step : {1, 10, 5000}) {
      const AdamWSettings settings{.learningRate = 0.01, .weightDecay = 0.1, .step = step, .gradientScale = 0.37};
      const Shape shape{elements};
      ops.push_back(
          {.name = "adamw of " + std::to_string(elements) + " at step " + std::to_string(step),
           .operands = {{"parameter", shape, Role::accumulated},
                        {"m", shape, Role::accumulated, [](double normal) { return 0.1 * normal; }},
                        {"v", shape, Role::accumulated, [](double normal) { return 0.01 * normal * normal; }},
                        {"gradient", shape}},
           .forward = [settings](Backend& b,
                                 const Views& v) { b.adamw(v["parameter"], v["m"], v["v"], v["gradient"], settings); },
           .backward = {},
           .bound = 1e-6,
           .reason = "some ten f32 roundings of 2^-24 each",
           .checkGradient = false});
    }
  for (const std::int64_t elements : {1, 1000})
    ops.push_back(
        {.name = "sum of " + std::to_string(elements) + " squares",
         .operands = {{.name = "sum", .shape = {1}, .role = Role::output, .dtype = DType::f64}, {"in", {elements}}},
         .forward = [](Backend& b, const Views& v) { b.sumOfSquares(v["sum"], v["in"]); },
         .backward = {},
         .bound = 1e-12,
         .reason = "f32 inputs are squared and summed in f64",
         .checkGradient = false});
  return ops;
}

}  // namespace moe::test
