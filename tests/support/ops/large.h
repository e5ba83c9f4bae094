#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tests/support/ops/all.h"

namespace moe::test {

/// Shapes that take more than one task, block or tile, beside those of the definition's own tests.
inline std::vector<Op> allOpsAndLargeOnes() {
  std::vector<Op> ops = allOps();
  const auto add = [&](Op op, const std::string& reason) {
    op.bound = 1.5e-5;
    op.reason = reason;
    ops.push_back(std::move(op));
  };
  const std::string sums = "f32 sums of up to 700 products, some at the worst case of 200 roundings of 2^-24";
  using enum ExpertKind;
  add(expertsOp({.name = "experts of different sizes in several runs each",
                 .kind = glu,
                 .tokens = 700,
                 .width = 24,
                 .outputs = 40,
                 .hidden = {48, 96, 33, 8},
                 .perToken = 3,
                 .bias = true,
                 .drops = true}),
      sums);
  add(expertsOp({.name = "interleaved experts in several runs each",
                 .kind = clampedGlu,
                 .tokens = 600,
                 .width = 24,
                 .outputs = 24,
                 .hidden = {40, 72, 8},
                 .bias = true,
                 .weightOnInput = true,
                 .dropout = true}),
      sums);
  add(expertsOp({.name = "two shared experts in several runs each",
                 .kind = mlp,
                 .activation = Activation::gelu,
                 .tokens = 530,
                 .width = 32,
                 .outputs = 32,
                 .hidden = {300, 70},
                 .bias = true,
                 .everyToken = true,
                 .accumulate = true}),
      sums);
  add(expertsOp({.name = "one expert owns every token",
                 .kind = mlp,
                 .activation = Activation::gelu,
                 .tokens = 530,
                 .width = 32,
                 .outputs = 32,
                 .hidden = {150},
                 .perToken = 1,
                 .bias = true}),
      sums);
  // One generated token, with enough weights to wake the team.
  for (const ExpertKind kind : {linear, mlp, glu, clampedGlu}) {
    ExpertsCase c{.name = "a generated token's experts, kind " + std::to_string(static_cast<int>(kind)),
                  .kind = kind,
                  .tokens = 1,
                  .width = 150,
                  .outputs = 230,
                  .hidden = {300, 220, 310, 8},
                  .perToken = 3,
                  .bias = true,
                  .generated = true};
    add(expertsOp(c), sums);
    c.name += ", onto y";
    c.weightOnInput = c.accumulate = true;
    add(expertsOp(c), sums);
    c.name += ", none";
    c.perToken = 0;
    c.accumulate = false;
    add(expertsOp(c), sums);
  }
  return ops;
}

}  // namespace moe::test
