#pragma once
#include "core/backend/backend.h"
#include "tests/support/op_test.h"

namespace moe::test {

/// `perToken` distinct experts a token, unevenly spread; with `dropSome`, every fourth assignment is not admitted. The
/// last expert is left without a token where there are more than two.
inline Dispatch unevenDispatch(std::int64_t tokens, std::int32_t experts, std::int32_t perToken, bool dropSome) {
  struct Asked {
    std::int32_t expert, token, slot;
    bool admitted;
  };
  std::vector<Asked> all;
  const std::int32_t used = experts > 2 ? experts - 1 : experts;
  for (std::int32_t t = 0; t < tokens; ++t)
    for (std::int32_t s = 0; s < perToken; ++s)
      all.push_back({(t * t / 2 + s) % used, t, s, !dropSome || (t + 2 * s) % 4 != 3});
  std::stable_sort(all.begin(), all.end(), [](const Asked& a, const Asked& b) {
    return a.expert != b.expert ? a.expert < b.expert : a.admitted > b.admitted;
  });
  Dispatch out;
  out.tokens = tokens;
  out.experts = experts;
  std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>> ofToken(static_cast<std::size_t>(tokens));
  for (std::int32_t e = 0, a = 0; e < experts; ++e) {
    out.expertBegin.push_back(a);
    out.admittedEnd.push_back(a);
    for (; a < static_cast<std::int32_t>(all.size()) && all[static_cast<std::size_t>(a)].expert == e; ++a) {
      const Asked& asked = all[static_cast<std::size_t>(a)];
      out.token.push_back(asked.token);
      out.slot.push_back(asked.slot);
      if (!asked.admitted) continue;
      out.admittedEnd.back() = a + 1;
      ofToken[static_cast<std::size_t>(asked.token)].push_back({asked.slot, a});
    }
  }
  out.expertBegin.push_back(static_cast<std::int32_t>(all.size()));
  out.weight.assign(all.size(), 0.0);
  out.tokenBegin.push_back(0);
  for (auto& entries : ofToken) {
    std::sort(entries.begin(), entries.end());
    for (const auto& [slot, a] : entries) out.assignmentOf.push_back(a);
    out.tokenBegin.push_back(static_cast<std::int32_t>(out.assignmentOf.size()));
  }
  return out;
}

struct ExpertsCase {
  std::string name;
  ExpertKind kind = ExpertKind::glu;
  Activation activation = Activation::silu;
  std::int64_t tokens = 5, width = 4, outputs = 4;
  std::vector<std::int64_t> hidden = {3, 3, 3};
  std::int32_t perToken = 2;
  bool bias = false, weightOnInput = false, dropout = false, everyToken = false, accumulate = false, drops = false;
  bool generated = false;  // nothing is kept, no backward follows
  double limit = 0.7;      // of clampedGlu: clamps about half of what is drawn
  Gradients gradients = Gradients::add;
};

inline Op expertsOp(const ExpertsCase& c) {
  ExpertsSpec spec;
  spec.kind = c.kind;
  spec.activation = c.activation;
  spec.width = c.width;
  spec.outputWidth = c.outputs;
  spec.hidden = c.hidden;
  const bool linear = c.kind == ExpertKind::linear, clamped = c.kind == ExpertKind::clampedGlu,
             glu = c.kind == ExpertKind::glu;
  if (linear) spec.hidden.assign(c.hidden.size(), 0);
  spec.limit = c.limit;
  spec.weightOnInput = c.weightOnInput;
  if (c.dropout) spec.dropout = 0.3;
  Dispatch dispatch;
  if (c.everyToken)
    dispatchEveryToken(dispatch, c.tokens, static_cast<std::int32_t>(spec.experts()));
  else
    dispatch = unevenDispatch(c.tokens, static_cast<std::int32_t>(spec.experts()), c.perToken, c.drops);
  const std::int64_t E = spec.experts(), D = c.width, O = c.outputs, H = spec.hiddenTotal();
  const std::int64_t widest = *std::max_element(spec.hidden.begin(), spec.hidden.end());
  const Shape x{c.tokens, D}, y{c.tokens, O},
      gate = glu ? Shape{H, D} : Shape{0}, up = linear ? Shape{0} : Shape{clamped ? 2 * H : H, D},
      down = linear ? Shape{E, O, D} : Shape{O * H}, gateBias{c.bias && glu ? H : 0},
      upBias{c.bias && !linear ? (clamped ? 2 * H : H) : 0}, downBias = c.bias ? Shape{E, O} : Shape{0},
      keep = c.dropout ? Shape{c.tokens, widest} : Shape{0}, assignments{dispatch.assignments()};
  const auto weights = [](const Views& v, const std::string& prefix) {
    return ExpertsWeights{v[prefix + "gate"],     v[prefix + "up"],     v[prefix + "down"],
                          v[prefix + "gateBias"], v[prefix + "upBias"], v[prefix + "downBias"]};
  };
  const auto weighted = [dispatch](Backend& b, const Views& v) {
    Dispatch out = dispatch;
    const HostCopy read = b.read(v["weight"]);
    const auto given = read.span<double>();
    out.weight.assign(given.begin(), given.end());
    return out;
  };
  const bool large = c.tokens > 10;
  const Role gradient = c.gradients == Gradients::overwrite ? Role::output : Role::accumulated;
  return {
      .name = c.name,
      .operands = {{"y", y, c.accumulate ? Role::accumulated : Role::output},
                   {"saved",
                    {},
                    Role::saved,
                    {},
                    [spec, A = dispatch.assignments()](const Backend& b) { return b.expertsSavedElements(spec, A); }},
                   {"x", x},
                   {"weight", assignments, Role::input, [](double n) { return 0.4 + 0.2 * n; }, {}, DType::f64},
                   {"gate", gate},
                   {"up", up},
                   {"down", down},
                   {"gateBias", gateBias},
                   {"upBias", upBias},
                   {"downBias", downBias},
                   {"keep", keep, Role::input, [](double n) { return n > -0.5 ? 1.0 : 0.0; }},
                   {"dy", y},
                   {"dx", x, Role::accumulated},
                   {"dweight",
                    assignments,
                    c.generated ? Role::input : Role::output,
                    [](double n) { return n; },
                    {},
                    DType::f64},
                   {"dgate", gate, gradient},
                   {"dup", up, gradient},
                   {"ddown", down, gradient},
                   {"dgateBias", gateBias, gradient},
                   {"dupBias", upBias, gradient},
                   {"ddownBias", downBias, gradient}},
      .forward =
          [=](Backend& b, const Views& v) {
            b.experts(v["y"], c.generated ? TensorView{} : v["saved"], v["x"], weighted(b, v), spec, weights(v, ""),
                      v["keep"], c.accumulate);
          },
      .backward =
          c.generated ? std::function<void(Backend&, const Views&)>{} : [=](Backend& b, const Views& v) {
            b.expertsBackward(v["dx"], weights(v, "d"), v["dweight"], v["dy"], v["x"], v["saved"],
                              weighted(b, v), spec, weights(v, ""), v["keep"], c.gradients);
          },
      .bound = large ? 5e-6 : 2e-6,
      .reason = large ? "f32 sums of up to 80 products, twice over: sqrt(160) * 2^-24 is 8e-7, six deviations of it"
                      : "pre-activations kept in f32, sums of a few products: some 30 roundings of 2^-24",
      .checkGradient = !large};
}

inline std::vector<Op> expertsOps() {
  struct Kind {
    std::string name;
    ExpertKind kind;
    Activation activation;
  };
  std::vector<Kind> kinds{{"clamped glu", ExpertKind::clampedGlu, Activation::silu},
                          {"linear", ExpertKind::linear, Activation::silu}};
  for (const auto& [name, activation] :
       {std::pair{"relu", Activation::relu}, std::pair{"gelu", Activation::gelu},
        std::pair{"tanh gelu", Activation::geluTanh}, std::pair{"silu", Activation::silu}}) {
    kinds.push_back({std::string(name) + " mlp", ExpertKind::mlp, activation});
    kinds.push_back({std::string(name) + " glu", ExpertKind::glu, activation});
  }
  std::vector<Op> ops;
  for (const Kind& kind : kinds) {
    const auto add = [&](const std::string& option, const std::function<void(ExpertsCase&)>& set) {
      ExpertsCase c{.name = "experts " + kind.name + option, .kind = kind.kind, .activation = kind.activation};
      set(c);
      ops.push_back(expertsOp(c));
    };
    const bool hidden = kind.kind != ExpertKind::linear;
    add("", [](ExpertsCase&) {});
    add(" with biases", [](ExpertsCase& c) { c.bias = true; });
    if (hidden) add(" of different sizes", [](ExpertsCase& c) { c.hidden = {2, 5, 1}, c.bias = true; });
    add(" weighing the input", [](ExpertsCase& c) { c.weightOnInput = true, c.bias = true; });
    if (hidden) add(" with dropout", [](ExpertsCase& c) { c.dropout = true, c.hidden = {3, 2, 3}; });
    add(" on every token", [](ExpertsCase& c) { c.everyToken = true, c.hidden = {3, 3}; });
    add(" onto y", [](ExpertsCase& c) { c.accumulate = true, c.outputs = 3; });
    add(" with dropped assignments", [](ExpertsCase& c) { c.drops = true, c.bias = true; });
    add(" over its gradients", [](ExpertsCase& c) { c.gradients = Gradients::overwrite, c.bias = true; });
    add(" at size over its gradients", [](ExpertsCase& c) {
      c.gradients = Gradients::overwrite, c.bias = true;
      c.tokens = 70, c.width = 40, c.outputs = 24, c.hidden = {80, 80, 80};
    });
    add(" with every option", [&](ExpertsCase& c) {
      c.bias = c.weightOnInput = c.accumulate = c.drops = true, c.dropout = hidden, c.hidden = {4, 2, 3, 1};
    });
    add(" at size", [](ExpertsCase& c) {
      c.tokens = 70, c.width = 40, c.outputs = 24, c.hidden = {80, 80, 80, 80, 80}, c.drops = true;
    });
  }
  return ops;
}

}  // namespace moe::test
