#pragma once
#include <array>

#include "tests/support/op_test.h"

namespace moe::test {

/// Sums of parameters and losses, and the scale of the gradients that follows from them.
inline std::vector<Op> sumOps() {
  const auto f64 = [](const std::string& name, std::int64_t elements, Role role) {
    return Operand{.name = name, .shape = {elements}, .role = role, .dtype = DType::f64};
  };
  std::vector<Op> ops;
  for (const std::int64_t elements : {1, 1000, 70000}) {
    ops.push_back({.name = "sum of " + std::to_string(elements),
                   .operands = {f64("sum", 1, Role::output), {"in", {elements}}},
                   .forward = [](Backend& b, const Views& v) { b.sum(v["sum"], v["in"]); },
                   .backward = {},
                   .bound = 1e-11,
                   .reason = "f32 inputs are summed in f64; their sum is much smaller than they are together",
                   .checkGradient = false});
    ops.push_back({.name = "sums of " + std::to_string(elements) + " and 7 squares",
                   .operands = {f64("sums", 2, Role::output), {"in", {elements}}, {"other", {7}}},
                   .forward =
                       [](Backend& b, const Views& v) {
                         b.sumOfSquares(v["sums"], std::array{v["in"], v["other"]});
                       },
                   .backward = {},
                   .bound = 1e-12,
                   .reason = "f32 inputs are squared and summed in f64",
                   .checkGradient = false});
  }
  for (const double clip : {0.0, 1e-3, 1e3}) {
    Operand squares = f64("squares", 300, Role::input);
    squares.from = [](double normal) { return normal * normal; };
    ops.push_back({.name = "scale of gradients clipped to " + std::to_string(clip),
                   .operands = {f64("update", 2, Role::output), squares, f64("loss", 1, Role::input)},
                   .forward = [clip](Backend& b,
                                     const Views& v) { b.scaleGradients(v["update"], v["squares"], v["loss"], clip); },
                   .backward = {},
                   .bound = 1e-12,
                   .reason = "f64 throughout",
                   .checkGradient = false});
  }
  return ops;
}

}  // namespace moe::test
