#pragma once
#include "tests/support/op_test.h"

namespace moe::test {

inline std::vector<Op> linearOps() {
  struct Case {
    std::int64_t tokens, inputs, outputs;
    bool bias, accumulate, accumulateDx;
    Gradients gradients = Gradients::add;
  };
  std::vector<Op> ops;
  for (const Case& c :
       {Case{5, 4, 3, true, false, false}, Case{5, 4, 3, false, true, false}, Case{4, 3, 6, true, true, true},
        Case{1, 7, 1, false, false, true}, Case{1, 1, 1, true, false, false}, Case{67, 130, 70, true, false, false},
        Case{64, 32, 200, false, true, true}, Case{5, 4, 3, true, false, false, Gradients::overwrite},
        Case{67, 70, 130, true, false, true, Gradients::overwrite},
        Case{300, 40, 70, true, false, false, Gradients::overwrite},
        // A few rows by many weights: one of each number, with and without a rest of the vector's lanes.
        Case{1, 256, 300, true, false, false}, Case{1, 300, 256, false, true, false},
        Case{2, 301, 250, true, true, false}, Case{3, 283, 250, true, false, false},
        Case{4, 290, 256, false, false, false}}) {
    const bool overwrites = c.gradients == Gradients::overwrite;
    const Role gradient = overwrites ? Role::output : Role::accumulated;
    const Shape x{c.tokens, c.inputs}, y{c.tokens, c.outputs}, weight{c.outputs, c.inputs},
        bias{c.bias ? c.outputs : 0};
    ops.push_back(
        {.name = "linear " + x.text() + " to " + std::to_string(c.outputs) + (c.bias ? " with bias" : "") +
                 (c.accumulate ? " onto y" : "") + (c.accumulateDx ? " onto dx" : "") +
                 (overwrites ? " over its gradients" : ""),
         .operands = {{"y", y, c.accumulate ? Role::accumulated : Role::output},
                      {"x", x},
                      {"weight", weight},
                      {"bias", bias},
                      {"dy", y},
                      {"dx", x, c.accumulateDx ? Role::accumulated : Role::output},
                      {"dweight", weight, gradient},
                      {"dbias", bias, gradient}},
         .forward = [c](Backend& b, const Views& v) { b.linear(v["y"], v["x"], v["weight"], v["bias"], c.accumulate); },
         .backward =
             [c](Backend& b, const Views& v) {
               b.linearBackward(v["dx"], v["dweight"], v["dbias"], v["dy"], v["x"], v["weight"], c.accumulateDx,
                                c.gradients);
             },
         .bound = 1.5e-5,
         .reason = "f32 sums of up to 300 products, the longest in 16 parts: 200 * 2^-24 = 1.2e-5 at the worst",
         .checkGradient = c.tokens <= 5 && weight.elements() < 1000});
  }
  // The first layer of a network asks for no dx, a frozen weight for no dweight.
  ops.push_back(
      {.name = "linear without dx",
       .operands = {{"y", {3, 4}, Role::output},
                    {"x", {3, 5}},
                    {"weight", {4, 5}},
                    {"dy", {3, 4}},
                    {"dweight", {4, 5}, Role::accumulated}},
       .forward = [](Backend& b, const Views& v) { b.linear(v["y"], v["x"], v["weight"], {}, false); },
       .backward = [](Backend& b,
                      const Views& v) { b.linearBackward({}, v["dweight"], {}, v["dy"], v["x"], v["weight"], false); },
       .bound = 1e-6,
       .reason = "f32 sums of five products"});
  ops.push_back(
      {.name = "linear without dweight",
       .operands = {{"y", {3, 4}, Role::output},
                    {"x", {3, 5}},
                    {"weight", {4, 5}},
                    {"dy", {3, 4}},
                    {"dx", {3, 5}, Role::output}},
       .forward = [](Backend& b, const Views& v) { b.linear(v["y"], v["x"], v["weight"], {}, false); },
       .backward = [](Backend& b,
                      const Views& v) { b.linearBackward(v["dx"], {}, {}, v["dy"], v["x"], v["weight"], false); },
       .bound = 1e-6,
       .reason = "f32 sums of five products"});
  // A tied head reads the embedding's table, and both add to its gradient.
  const std::vector<std::int32_t> ids{2, 0, 2, 4};
  ops.push_back({.name = "embedding and tied head",
                 .operands = {{"logits", {4, 5}, Role::output},
                              {"x", {4, 3}, Role::output},
                              {"table", {5, 3}},
                              {"dlogits", {4, 5}},
                              {"dHidden", {4, 3}, Role::output},
                              {"dtable", {5, 3}, Role::accumulated}},
                 .forward =
                     [ids](Backend& b, const Views& v) {
                       b.embedding(v["x"], v["table"], {}, ids, {});
                       b.linear(v["logits"], v["x"], v["table"], {}, false);
                     },
                 .backward =
                     [ids](Backend& b, const Views& v) {
                       b.linearBackward(v["dHidden"], v["dtable"], {}, v["dlogits"], v["x"], v["table"], false);
                       b.embeddingBackward(v["dtable"], {}, v["dHidden"], ids, {});
                     },
                 .bound = 2e-6,
                 .reason = "f32 sums of five products, twice"});
  return ops;
}

}  // namespace moe::test
