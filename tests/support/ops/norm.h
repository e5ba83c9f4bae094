#pragma once
#include "tests/support/op_test.h"

namespace moe::test {

inline std::vector<Op> normOps() {
  struct Case {
    NormKind kind;
    bool bias;
    std::int64_t tokens, width;
  };
  std::vector<Op> ops;
  for (const Case& c :
       {Case{NormKind::rms, false, 5, 8}, Case{NormKind::rms, true, 3, 7}, Case{NormKind::layer, true, 5, 8},
        Case{NormKind::layer, false, 3, 7}, Case{NormKind::rms, false, 1, 1}, Case{NormKind::layer, true, 1, 3},
        Case{NormKind::rms, false, 70, 130}, Case{NormKind::layer, true, 70, 130}}) {
    const Shape x{c.tokens, c.width}, weight{c.width}, bias{c.bias ? c.width : 0};
    ops.push_back({.name = std::string(c.kind == NormKind::rms ? "rms" : "layer") + " norm " + x.text() +
                           (c.bias ? " with bias" : ""),
                   .operands = {{"y", x, Role::output},
                                {"statistics", {c.tokens, 2}, Role::output},
                                {"x", x, Role::input, [](double normal) { return 0.5 + 2 * normal; }},
                                {"weight", weight},
                                {"bias", bias},
                                {"dy", x},
                                {"dx", x, Role::accumulated},
                                {"dweight", weight, Role::accumulated},
                                {"dbias", bias, Role::accumulated}},
                   .forward =
                       [kind = c.kind](Backend& b, const Views& v) {
                         b.norm(v["y"], v["statistics"], v["x"], v["weight"], v["bias"], kind, 1e-5);
                       },
                   .backward =
                       [kind = c.kind](Backend& b, const Views& v) {
                         b.normBackward(v["dx"], v["dweight"], v["dbias"], v["dy"], v["x"], v["statistics"],
                                        v["weight"], kind);
                       },
                   .bound = 1e-5,
                   .reason = "f32 sums of up to 130 terms: 130 * 2^-24 = 8e-6 of their magnitude at the worst",
                   .checkGradient = x.elements() <= 100});
  }
  return ops;
}

}  // namespace moe::test
