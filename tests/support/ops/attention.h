#pragma once
#include "tests/support/op_test.h"

namespace moe::test {

inline std::vector<Op> attentionOps() {
  std::vector<Op> ops;
  for (const AttentionSpec& spec : {
           AttentionSpec{.sequences = 2, .length = 5, .heads = 2, .kvHeads = 2, .headWidth = 4, .ropeTheta = 10000},
           AttentionSpec{.sequences = 2, .length = 4, .heads = 4, .kvHeads = 2, .headWidth = 4, .ropeTheta = 100},
           AttentionSpec{.sequences = 1, .length = 6, .heads = 3, .kvHeads = 1, .headWidth = 3, .ropeTheta = 0},
           AttentionSpec{.sequences = 3, .length = 1, .heads = 2, .kvHeads = 1, .headWidth = 2, .ropeTheta = 10000},
           AttentionSpec{.sequences = 1, .length = 1, .heads = 1, .kvHeads = 1, .headWidth = 1, .ropeTheta = 0},
           AttentionSpec{.sequences = 2, .length = 37, .heads = 4, .kvHeads = 2, .headWidth = 32, .ropeTheta = 10000},
           AttentionSpec{.sequences = 1, .length = 70, .heads = 3, .kvHeads = 3, .headWidth = 20, .ropeTheta = 0},
           AttentionSpec{.sequences = 2, .length = 150, .heads = 4, .kvHeads = 2, .headWidth = 16, .ropeTheta = 10000},
       }) {
    const std::int64_t tokens = spec.sequences * spec.length;
    const Shape qkv{tokens, spec.qkvWidth()}, out{tokens, spec.heads * spec.headWidth};
    ops.push_back(
        {.name = "attention " + std::to_string(spec.sequences) + " x " + std::to_string(spec.length) + ", " +
                 std::to_string(spec.heads) + "/" + std::to_string(spec.kvHeads) + " heads of " +
                 std::to_string(spec.headWidth) + (spec.ropeTheta != 0 ? ", rotary" : ""),
         .operands = {{"out", out, Role::output},
                      {.name = "saved",
                       .shape = {},
                       .role = Role::saved,
                       .savedElements = [spec](const Backend& b) { return b.attentionSavedElements(spec); }},
                      {"qkv", qkv},
                      {"dout", out},
                      {"dqkv", qkv, Role::output}},
         .forward = [spec](Backend& b, const Views& v) { b.attention(v["out"], v["saved"], v["qkv"], spec); },
         .backward =
             [spec](Backend& b, const Views& v) {
               b.attentionBackward(v["dqkv"], v["dout"], v["out"], v["saved"], v["qkv"], spec);
             },
         .bound = 2e-5,
         .reason = "f32 sums of up to 150 terms (9e-6), and a score's error of some 1e-6 passes the exponential",
         .checkGradient = tokens <= 10});
  }
  // Generation: the new row of the cache is written, the others stay.
  for (const std::int64_t position : {0, 3, 40}) {
    const AttentionSpec spec{
        .heads = 4, .kvHeads = 2, .headWidth = position == 40 ? 40 : 8, .ropeTheta = position == 3 ? 0.0 : 10000.0};
    const Shape cache{position + 2, spec.kvHeads, spec.headWidth};
    ops.push_back({.name = "attention of the token at " + std::to_string(position),
                   .operands = {{"out", {1, spec.heads * spec.headWidth}, Role::output},
                                {"keys", cache, Role::accumulated},
                                {"values", cache, Role::accumulated},
                                {"qkv", {1, spec.qkvWidth()}}},
                   .forward =
                       [=](Backend& b, const Views& v) {
                         b.attentionNext(v["out"], {v["keys"], v["values"]}, v["qkv"], spec, position);
                       },
                   .backward = {},
                   .bound = 1e-5,
                   .reason = "f32 sums of up to 41 terms (2.4e-6), and a score's error passes the exponential",
                   .checkGradient = false});
  }
  return ops;
}

}  // namespace moe::test
