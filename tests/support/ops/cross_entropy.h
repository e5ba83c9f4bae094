#pragma once
#include "tests/support/op_test.h"

namespace moe::test {

inline std::vector<Op> crossEntropyOps() {
  struct Case {
    std::string name;
    std::int64_t vocabulary;
    std::vector<std::int32_t> targets;
    double scale;
  };
  std::vector<std::int32_t> many;
  for (std::int32_t t = 0; t < 40; ++t) many.push_back(t % 7 == 3 ? -1 : t * 11 % 259);
  std::vector<Op> ops;
  for (const Case& c : {Case{"some masked", 6, {5, -1, 0, 3, -1}, 0.25}, Case{"all masked but one", 4, {-1, 2}, 1},
                        Case{"one word", 1, {0, 0, 0}, 1}, Case{"large", 259, many, 1.0 / 34}}) {
    const auto tokens = static_cast<std::int64_t>(c.targets.size());
    const Shape logits{tokens, c.vocabulary};
    // Forward leaves the logits alone; backward overwrites a copy of them. L = scale * (sum of losses).
    ops.push_back(
        {.name = "cross-entropy, " + c.name,
         .operands = {{"losses", {tokens}, Role::output},
                      {"logits", logits, Role::input, [](double normal) { return 3 * normal; }},
                      {"dlosses", {tokens}, Role::input, [c](double) { return c.scale; }},
                      {"dlogits", logits, Role::output}},
         .forward = [c](Backend& b, const Views& v) { b.crossEntropy(v["losses"], v["logits"], c.targets, 0); },
         .backward =
             [c](Backend& b, const Views& v) {
               b.copy(v["dlogits"], v["logits"]);
               b.crossEntropy(v["losses"], v["dlogits"], c.targets, static_cast<float>(c.scale));
             },
         .bound = 5e-6,
         .reason = "an f32 exponential of arguments up to 20 is off by about 20 * 2^-24 = 1.2e-6",
         .checkGradient = c.vocabulary > 1 && c.vocabulary <= 10});
  }
  return ops;
}

}  // namespace moe::test
