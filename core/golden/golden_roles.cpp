#include "core/golden/golden_roles.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/error.h"
#include "core/golden/golden_recipe.h"

namespace moe {

namespace {

using Type = GoldenTensor::Type;
using Kind = GoldenVector::Kind;

enum class Need { no, allowed, required };

/// What decides about a role: the recipe, and what else the file holds.
struct Facts {
  const GoldenVector& file;
  const Recipe& recipe;
  bool has(const char* role) const { return file.find(role) != nullptr; }
  bool metrics() const { return file.kind == Kind::metrics; }
  bool layer() const { return file.kind == Kind::layer; }
  bool routes() const { return recipe.logits.kind == Recipe::Logits::Kind::linear; }
  bool weights() const { return routes() && !has("logits"); }
  bool kind(ExpertKind kind) const { return recipe.experts.kind == kind; }
  bool init() const { return recipe.experts.init != Recipe::Experts::Init::random; }
  bool bank() const { return layer() && !has("experts.init.up"); }
  bool noise() const {
    return recipe.perturb.noise != Recipe::Perturb::Noise::none && file.kind != Kind::schedule && !metrics();
  }
  bool shared() const { return layer() && recipe.combine.shared.has_value(); }
  bool dense() const { return layer() && recipe.combine.denseResidual.has_value(); }
  /// Whether a field of the file is of the objective that grad_output defines.
  bool objective() const {
    return std::any_of(file.cases.begin(), file.cases.end(), [](const GoldenCase& one) {
      return std::any_of(one.expected.begin(), one.expected.end(), [](const GoldenExpected& field) {
        const std::string& name = field.path.front();
        return name.starts_with("objective_") || name == "grad_total" || name == "grad_output_term";
      });
    });
  }
  bool mixture() const { return recipe.head.kind == Recipe::Head::Kind::mixture; }
  bool joined() const {
    return std::any_of(recipe.balance.begin(), recipe.balance.end(), [](const Recipe::BalanceTerm& term) {
      return term.layers != Recipe::BalanceTerm::Layers::separate;
    });
  }
  bool bySequence() const {
    return std::any_of(recipe.balance.begin(), recipe.balance.end(), [](const Recipe::BalanceTerm& term) {
      return term.scope == Recipe::BalanceTerm::Scope::sequence;
    });
  }
};

Need when(bool wanted) { return wanted ? Need::required : Need::no; }
Need may(bool allowed) { return allowed ? Need::allowed : Need::no; }

struct Role {
  const char* name;
  const char* types;  // f: float64, i: int64, b: bool, n: a plain number
  const char* shape;  // letters of GoldenSizes; 2: twice the next; 1: one; "|" separates alternatives; "": 0-d
  std::function<Need(const Facts&)> need;
  bool differentiable = false;
};

const std::vector<Role>& roles() {
  static const auto gated = [](const Facts& f) { return f.kind(ExpertKind::glu); };
  static const auto clamped = [](const Facts& f) { return f.kind(ExpertKind::clampedGlu); };
  static const auto linear = [](const Facts& f) { return f.kind(ExpertKind::linear); };
  static const auto plain = [](const Facts& f) { return f.kind(ExpertKind::mlp) || gated(f); };
  static const auto measured = [](const Facts& f) { return may(f.metrics()); };
  static const auto always = [](const Facts&) { return Need::allowed; };
  static const std::vector<Role> table{
      {"x", "f", "TD", [](const Facts& f) { return f.layer() ? Need::required : Need::allowed; }, true},
      {"logits", "f", "TE", [](const Facts& f) { return may(f.routes()); }, true},
      {"logits.weight", "f", "ED",
       [](const Facts& f) { return f.weights() && f.has("x") ? Need::required : may(f.weights()); }, true},
      {"logits.bias", "f", "E", [](const Facts& f) { return when(f.weights() && f.recipe.logits.bias); }, true},
      {"perturb.noise.weight", "f", "ED",
       [](const Facts& f) { return when(f.noise() && f.recipe.perturb.noise == Recipe::Perturb::Noise::learned); },
       true},
      {"perturb.noise.draw", "f", "TE", [](const Facts& f) { return when(f.noise()); }},
      {"perturb.input_jitter.draw", "f", "TD",
       [](const Facts& f) { return when(f.weights() && f.recipe.perturb.inputJitter > 0 && !f.metrics()); }},
      {"adjust.selection_bias.value", "f", "E",
       [](const Facts& f) { return when(f.recipe.adjust.selectionBias && !f.metrics()); }},
      {"select.random_second.draw", "f", "T",
       [](const Facts& f) { return when(f.recipe.select.randomSecond && !f.metrics()); }},
      {"select.force.token_draw", "f", "T", [](const Facts& f) { return when(f.recipe.select.force && !f.metrics()); }},
      {"select.force.expert_draw", "f", "T",
       [](const Facts& f) { return when(f.recipe.select.force && !f.metrics()); }},
      {"select.force.check_step", "i", "c", [](const Facts& f) { return may(f.recipe.select.force.has_value()); }},
      {"select.hash_table", "i", "V",
       [](const Facts& f) { return when(f.recipe.select.kind == Recipe::Select::Kind::hash); }},
      {"batch.token_ids", "i", "T",
       [](const Facts& f) {
         return f.recipe.select.kind == Recipe::Select::Kind::hash ? Need::required : Need::allowed;
       }},
      {"batch.sequence_index", "i", "T",
       [](const Facts& f) { return f.bySequence() ? Need::required : Need::allowed; }},
      {"batch.domain_ids", "i", "T", always},
      {"experts.gate", "f", "EFD", [](const Facts& f) { return when(f.bank() && gated(f)); }, true},
      {"experts.up", "f", "EFD", [](const Facts& f) { return when(f.bank() && plain(f)); }, true},
      {"experts.down", "f", "EOF", [](const Facts& f) { return when(f.bank() && !linear(f)); }, true},
      {"experts.gate_up", "f", "E2FD", [](const Facts& f) { return when(f.bank() && clamped(f)); }, true},
      {"experts.gate_up_bias", "f", "E2F",
       [](const Facts& f) { return when(f.bank() && clamped(f) && f.recipe.experts.bias); }, true},
      {"experts.down_bias", "f", "EO",
       [](const Facts& f) { return when(f.bank() && clamped(f) && f.recipe.experts.bias); }, true},
      {"experts.weight", "f", "EOD", [](const Facts& f) { return when(f.bank() && linear(f)); }, true},
      {"experts.bias", "f", "EO", [](const Facts& f) { return when(f.bank() && linear(f) && f.recipe.experts.bias); },
       true},
      {"experts.init.gate", "f", "GD",
       [](const Facts& f) { return when(f.layer() && f.init() && !f.bank() && gated(f)); }, true},
      {"experts.init.up", "f", "GD", [](const Facts& f) { return may(f.layer() && f.init() && plain(f)); }, true},
      {"experts.init.down", "f", "OG", [](const Facts& f) { return when(f.layer() && f.init() && !f.bank()); }, true},
      {"combine.shared.gate", "f", "nSD|SD", [](const Facts& f) { return when(f.shared() && gated(f)); }, true},
      {"combine.shared.up", "f", "nSD|SD", [](const Facts& f) { return when(f.shared() && plain(f)); }, true},
      {"combine.shared.down", "f", "nOS|OS", [](const Facts& f) { return when(f.shared() && plain(f)); }, true},
      {"combine.shared.token_gate.weight", "f", "1D",
       [](const Facts& f) { return when(f.shared() && f.recipe.combine.shared->tokenGate); }, true},
      {"combine.dense_residual.gate", "f", "RD",
       [](const Facts& f) { return when(f.dense() && f.recipe.combine.denseResidual->kind == ExpertKind::glu); }, true},
      {"combine.dense_residual.up", "f", "RD", [](const Facts& f) { return when(f.dense()); }, true},
      {"combine.dense_residual.down", "f", "DR", [](const Facts& f) { return when(f.dense()); }, true},
      {"combine.expert_dropout.draw", "fib", "TF",
       [](const Facts& f) { return when(f.layer() && f.recipe.combine.expertDropout > 0); }},
      {"block.post_attention", "f", "TD", [](const Facts& f) { return may(f.layer()); }, true},
      {"block.moe_norm.weight", "f", "D", [](const Facts& f) { return when(f.has("block.post_attention")); }, true},
      {"block.dense_norm.weight", "f", "D",
       [](const Facts& f) { return when(f.has("block.post_attention") && f.dense()); }, true},
      {"balance.other_layer_logits", "f", "TE",
       [](const Facts& f) { return f.joined() ? Need::required : Need::allowed; }},
      {"head.target", "fi", "TO|T", [](const Facts& f) { return when(f.layer() && f.mixture()); }},
      {"run.step", "i", "s", always},
      {"run.total_steps", "in", "", always},
      {"metrics.reference_index", "i", "Tk", measured},
      {"metrics.predicted_ids", "i", "T", measured},
      {"metrics.batch_index", "i", "T", measured},
      {"select.index", "i", "Tk", [](const Facts& f) { return when(f.metrics()); }},
      {"grad_output", "f", "TO", [](const Facts& f) { return f.objective() ? when(f.layer()) : may(f.layer()); }},
      {"grad_weight", "f", "Tk", [](const Facts& f) { return may(!f.layer()); }},
  };
  return table;
}

const Role* roleOf(const std::string& name) {
  const auto found = std::find_if(roles().begin(), roles().end(), [&](const Role& role) { return role.name == name; });
  return found == roles().end() ? nullptr : &*found;
}

std::string shapeText(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// Whether `shape` is the pattern's under these sizes; binds letters that were open.
bool matches(std::string_view pattern, const std::vector<std::int64_t>& shape, GoldenSizes& sizes) {
  GoldenSizes bound = sizes;
  std::size_t axis = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i, ++axis) {
    if (axis >= shape.size()) return false;
    const std::int64_t times = pattern[i] == '2' ? 2 : 1;
    if (times == 2) ++i;
    const std::int64_t size = pattern[i] == '1' ? 1 : bound[pattern[i]];
    if (shape[axis] % times != 0) return false;
    if (size == 0)
      bound.bind(pattern[i], shape[axis] / times);
    else if (shape[axis] != times * size)
      return false;
  }
  if (axis != shape.size()) return false;
  sizes = bound;
  return true;
}

std::string patternText(std::string_view pattern, const GoldenSizes& sizes) {
  std::string text = "[";
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '|') {
      text += "] or [";
      continue;
    }
    if (text.back() != '[') text += ", ";
    const std::int64_t times = pattern[i] == '2' ? 2 : 1;
    if (times == 2) ++i;
    const std::int64_t size = pattern[i] == '1' ? 1 : sizes[pattern[i]];
    text += size ? std::to_string(times * size) : (times == 2 ? "2 " : "") + std::string(1, pattern[i]);
  }
  return text + "]";
}

void fitOne(const GoldenInput& input, const Role& role, GoldenSizes& sizes) {
  const std::string subject = "inputs." + input.name + " (" + input.role + ")";
  const char letter = input.tensor.type == Type::number ? 'n'
                      : input.tensor.type == Type::f64  ? 'f'
                      : input.tensor.type == Type::i64  ? 'i'
                                                        : 'b';
  const std::string_view types = role.types, pattern = role.shape;
  if (types.find(letter) == std::string_view::npos)
    failGolden(subject, std::string("expected ") + (types[0] == 'f' ? "float64" : "int64") + ", found " +
                            (letter == 'n'   ? "a plain number"
                             : letter == 'f' ? "float64"
                             : letter == 'i' ? "int64"
                                             : "bool"));
  for (std::size_t begin = 0; begin <= pattern.size();) {
    const std::size_t end = std::min(pattern.find('|', begin), pattern.size());
    if (matches(pattern.substr(begin, end - begin), input.tensor.shape, sizes)) return;
    begin = end + 1;
  }
  failGolden(subject, "expected shape " + patternText(pattern, sizes) + ", found " + shapeText(input.tensor.shape));
}

void requireRange(const GoldenVector& file, const char* role, double low, double high, const std::string& what) {
  const GoldenTensor* tensor = file.find(role);
  if (!tensor) return;
  for (const double value : tensor->data)
    if (!(value >= low && value < high))
      failGolden(role, "expected " + what + ", found " + std::to_string(static_cast<std::int64_t>(value)));
}

void checkValues(const GoldenVector& file, const GoldenSizes& sizes) {
  constexpr double kMost = 2147483647;
  const auto E = static_cast<double>(sizes['E']);
  requireRange(file, "select.hash_table", 0, E, "experts of the recipe");
  requireRange(file, "batch.token_ids", 0, sizes['V'] ? static_cast<double>(sizes['V']) : kMost,
               "ids of the vocabulary");
  requireRange(file, "metrics.predicted_ids", 0, sizes['V'] ? static_cast<double>(sizes['V']) : kMost,
               "ids of the vocabulary");
  requireRange(file, "batch.domain_ids", 0, sizes['d'] ? static_cast<double>(sizes['d']) : kMost, "one of the domains");
  requireRange(file, "metrics.batch_index", 0, static_cast<double>(sizes['T']), "batches counted from 0");
  requireRange(file, "select.index", -1, E, "experts of the recipe or -1");
  requireRange(file, "metrics.reference_index", -1, E, "experts of the recipe or -1");
  requireRange(file, "run.step", 0, 9e15, "steps from 0");
  requireRange(file, "run.total_steps", 1, 9e15, "at least one step");
  for (const char* uniform : {"select.random_second.draw", "select.force.token_draw", "select.force.expert_draw"})
    requireRange(file, uniform, 0, 1, "draws from 0 to below 1");
  if (const GoldenTensor* keep = file.find("combine.expert_dropout.draw"))
    for (const double value : keep->data)
      if (value != 0 && value != 1)
        failGolden("combine.expert_dropout.draw", "expected 0 or 1, found " + std::to_string(value));
  const GoldenTensor* target = file.find("head.target");
  if (target && target->type == Type::i64)
    requireRange(file, "head.target", 0, static_cast<double>(sizes['O']), "outputs of the experts");
  if (const GoldenTensor* index = file.find("batch.sequence_index")) {
    const auto T = static_cast<std::int64_t>(index->data.size());
    const double sequences = index->data.back() + 1;
    const std::int64_t length =
        sequences >= 1 && sequences <= static_cast<double>(T) ? T / static_cast<std::int64_t>(sequences) : 0;
    for (std::int64_t t = 0; t < T; ++t)
      if (length == 0 || T % length != 0 || index->data[static_cast<std::size_t>(t)] != static_cast<double>(t / length))
        failGolden("batch.sequence_index", "expected sequences of equal length one behind the other, counted from 0");
  }
}

/// The factor itself is drawn: U(1 - eps, 1 + eps), eps at most what the recipe says.
void checkJitter(const GoldenVector& file, const Recipe& recipe) {
  const GoldenTensor* factors = file.find("perturb.input_jitter.draw");
  if (!factors || recipe.perturb.inputJitter == 0) return;
  constexpr double kRounding = 1e-6;  // of a draw in single precision
  for (const double factor : factors->data)
    if (!(std::abs(factor - 1) <= recipe.perturb.inputJitter + kRounding))
      failGolden("perturb.input_jitter.draw", "expected factors within " + std::to_string(recipe.perturb.inputJitter) +
                                                  " of 1, found " + std::to_string(factor));
}

}  // namespace

bool isDifferentiable(const std::string& role) {
  const Role* found = roleOf(role);
  return found && found->differentiable;
}

GoldenSizes fitInputs(const GoldenVector& file, const GoldenCase& one) {
  const Recipe& recipe = one.recipe;
  refuseSizes(file, recipe);
  const Facts facts{file, recipe};
  GoldenSizes sizes;
  const auto bindIf = [&](char letter, std::int64_t value) {
    if (value > 0) sizes.bind(letter, value);
  };
  bindIf('E', recipe.experts.count);
  bindIf('k', recipe.slotsPerToken());
  bindIf('O', recipe.experts.outputWidth);
  bindIf('V', file.vocabulary);
  bindIf('d', file.domains);
  const auto& hidden = recipe.experts.hidden;
  if (!hidden.empty()) bindIf('F', hidden.front());
  if (recipe.combine.shared) {
    bindIf('n', recipe.combine.shared->count);
    bindIf('S', recipe.combine.shared->hidden);
  }
  if (recipe.combine.denseResidual) bindIf('R', recipe.combine.denseResidual->hidden);
  if (const GoldenTensor* x = file.find("x"); x && x->shape.size() == 2 && sizes['O'] == 0)
    sizes.bind('O', x->shape[1]);
  for (const GoldenInput& input : file.inputs)
    if (!roleOf(input.role)) failGolden("config.tensors." + input.name, "the role \"" + input.role + "\" is not known");
  for (const Role& role : roles()) {
    const auto input = std::find_if(file.inputs.begin(), file.inputs.end(),
                                    [&](const GoldenInput& candidate) { return candidate.role == role.name; });
    const bool present = input != file.inputs.end();
    if (!present && role.need(facts) == Need::required)
      failGolden(role.name, "the recipe needs an input of this role, and the file has none");
    if (present && role.need(facts) != Need::no) fitOne(*input, role, sizes);
  }
  if (!file.find("x") && !file.find("logits") && !file.find("select.index") && !file.find("run.step"))
    failGolden("x", "expected an input of this role, or of logits, found neither");
  refuseUnrunnable(file, recipe, sizes);
  checkValues(file, sizes);
  checkJitter(file, recipe);
  return sizes;
}

void refuseUnusedInputs(const GoldenVector& file) {
  for (const GoldenInput& input : file.inputs) {
    const Role* role = roleOf(input.role);
    if (!role) failGolden("config.tensors." + input.name, "the role \"" + input.role + "\" is not known");
    const bool used = std::any_of(file.cases.begin(), file.cases.end(), [&](const GoldenCase& one) {
      return role->need({file, one.recipe}) != Need::no;
    });
    if (!used)
      failGolden("inputs." + input.name, "no recipe of the file has a use for the role \"" + input.role + "\"");
  }
}

}  // namespace moe
