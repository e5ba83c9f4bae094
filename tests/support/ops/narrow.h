#pragma once
#include <cmath>
#include <utility>
#include <vector>

#include "tests/support/ops/attention.h"
#include "tests/support/ops/experts.h"
#include "tests/support/ops/linear.h"

namespace moe::test {

/// Operations of sizes that are computed in bf16: rows and columns that are no multiples of a tile, several runs and
/// tiles, every kind of expert. Activations without kinks: a rounding that crosses one is no error.
inline std::vector<Op> narrowOps() {
  using enum ExpertKind;
  std::vector<Op> ops{
      expertsOp({.name = "gated experts of different sizes",
                 .kind = glu,
                 .tokens = 700,
                 .width = 40,
                 .outputs = 56,
                 .hidden = {48, 96, 33, 160},
                 .perToken = 3,
                 .bias = true,
                 .drops = true}),
      expertsOp({.name = "two-matrix experts",
                 .kind = mlp,
                 .activation = Activation::gelu,
                 .tokens = 300,
                 .width = 64,
                 .outputs = 64,
                 .hidden = {128, 128, 128, 128}}),
      expertsOp({.name = "two-matrix experts, weights on the input, dropout, onto y",
                 .kind = mlp,
                 .activation = Activation::geluTanh,
                 .tokens = 200,
                 .width = 33,
                 .outputs = 70,
                 .hidden = {70, 70, 70},
                 .bias = true,
                 .weightOnInput = true,
                 .dropout = true,
                 .accumulate = true}),
      expertsOp({.name = "shared experts",
                 .kind = glu,
                 .tokens = 530,
                 .width = 32,
                 .outputs = 32,
                 .hidden = {300, 70},
                 .bias = true,
                 .everyToken = true,
                 .accumulate = true}),
      expertsOp({.name = "one expert owns every token",
                 .kind = mlp,
                 .activation = Activation::silu,
                 .tokens = 530,
                 .width = 32,
                 .outputs = 32,
                 .hidden = {150},
                 .perToken = 1,
                 .bias = true}),
      expertsOp({.name = "experts of several runs, and one of none, over their gradients",
                 .kind = glu,
                 .tokens = 700,
                 .width = 32,
                 .outputs = 40,
                 .hidden = {48, 96, 64},
                 .bias = true,
                 .gradients = Gradients::overwrite}),
      expertsOp({.name = "interleaved experts",
                 .kind = clampedGlu,
                 .tokens = 600,
                 .width = 40,
                 .outputs = 40,
                 .hidden = {40, 72, 33},
                 .bias = true,
                 .weightOnInput = true,
                 .dropout = true,
                 .limit = 1000}),
  };
  for (Op& op : ops) op.bound = 2e-2;
  for (Op op : linearOps())
    if (op.operands[1].shape[0] > 16) {
      op.bound = 2e-2;
      ops.push_back(op);
    }
  return ops;
}

/// With attention, for backends that compute its products in bf16 too.
inline std::vector<Op> narrowOpsAndAttention() {
  std::vector<Op> ops = narrowOps();
  for (Op op : attentionOps()) {
    op.bound = 2e-2;
    ops.push_back(std::move(op));
  }
  return ops;
}

/// |found - expected| / |expected|, Euclidean norms.
template <class Numbers>
double relativeError(const Numbers& found, const Numbers& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = expected[i], difference = found[i] - value;
    error += difference * difference;
    size += value * value;
  }
  return size == 0 ? (error == 0 ? 0 : INFINITY) : std::sqrt(error / size);
}

// An operand rounded to bf16 is off by some 1e-3 of itself (at most 2^-9). A gradient passes five to ten such roundings
// one after the other: sqrt(10) * 1e-3 = 3e-3, and about twice that where a pre-activation's error is as large as the
// activation's bend. Three times that is what bf16 promises.
inline constexpr double kBf16Error = 1e-2;

}  // namespace moe::test
