#pragma once
#include <array>

#include "tests/support/op_test.h"

namespace moe::test {

/// Two parts, of which the first decays, under a scale of the gradients.
inline Op adamwOp(const std::string& name, std::int64_t elements, std::int64_t step, double scale) {
  const Shape shape{elements}, other{elements + 3};
  const auto one = [scale](double) { return scale; };
  const auto small = [](double normal) { return 0.1 * normal; };
  const auto squared = [](double normal) { return 0.01 * normal * normal; };
  return {.name = name,
          .operands = {{"parameter", shape, Role::accumulated},
                       {"m", shape, Role::accumulated, small},
                       {"v", shape, Role::accumulated, squared},
                       {"gradient", shape},
                       {"other", other, Role::accumulated},
                       {"other m", other, Role::accumulated, small},
                       {"other v", other, Role::accumulated, squared},
                       {"other gradient", other},
                       {.name = "update", .shape = {2}, .from = one, .dtype = DType::f64}},
          .forward =
              [step](Backend& b, const Views& v) {
                const std::array parts{AdamWPart{v["parameter"], v["m"], v["v"], v["gradient"], 0.1},
                                       AdamWPart{v["other"], v["other m"], v["other v"], v["other gradient"], 0}};
                b.adamw(parts, {.learningRate = 0.01, .step = step}, v["update"]);
              },
          .backward = {},
          .bound = 1e-6,
          .reason = "some ten f32 roundings of 2^-24 each",
          .checkGradient = false};
}

inline std::vector<Op> adamwOps() {
  std::vector<Op> ops;
  for (const std::int64_t elements : {1, 7, 1000})
    for (const std::int64_t step : {1, 10, 5000})
      ops.push_back(
          adamwOp("adamw of " + std::to_string(elements) + " at step " + std::to_string(step), elements, step, 0.37));
  ops.push_back(adamwOp("adamw that may not move", 100, 3, 0));
  return ops;
}

}  // namespace moe::test
