#pragma once
#include "tests/support/op_test.h"

namespace moe::test {

inline std::vector<Op> embeddingOps() {
  std::vector<Op> ops;
  for (const bool learnedPositions : {true, false}) {
    // Ids and positions repeat, so that gradients meet in a row; row 3 of the tokens is never read.
    const std::vector<std::int32_t> ids{4, 0, 2, 2, 4, 1}, positions{0, 1, 2, 0, 1, 2};
    const Shape table{5, 7}, positionTable = learnedPositions ? Shape{3, 7} : Shape{0};
    ops.push_back({.name = learnedPositions ? "embedding with positions" : "embedding without positions",
                   .operands = {{"x", {6, 7}, Role::output},
                                {"tokens", table},
                                {"positions", positionTable},
                                {"dx", {6, 7}},
                                {"dtokens", table, Role::accumulated},
                                {"dpositions", positionTable, Role::accumulated}},
                   .forward = [=](Backend& b,
                                  const Views& v) { b.embedding(v["x"], v["tokens"], v["positions"], ids, positions); },
                   .backward =
                       [=](Backend& b, const Views& v) {
                         b.embeddingBackward(v["dtokens"], v["dpositions"], v["dx"], ids, positions);
                       },
                   .bound = 5e-7,
                   .reason = "at most three roundings of 2^-24 in a sum of three"});
  }
  return ops;
}

}  // namespace moe::test
