#include "core/golden/golden_recipe.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/router/recipe_rows.h"

namespace moe {

namespace {

void refuse(bool wrong, const std::string& field, const std::string& sentence) {
  if (wrong) throw Error("golden", "pipeline." + field + ": " + sentence);
}

std::string number(std::int64_t value) { return std::to_string(value); }

void checkSelection(const Recipe& r, std::int64_t T) {
  using Select = Recipe::Select::Kind;
  const int E = r.experts.count;
  const bool topK = r.select.kind == Select::topK;
  refuse(topK && (r.select.k < 1 || r.select.k > E), "select.k",
         "expected 1 to " + number(E) + ", found " + number(r.select.k));
  refuse(r.select.kind == Select::topP && !(r.select.p > 0), "select.p", "expected a share above 0");
  refuse(r.select.kind == Select::assignment && T % E != 0, "select.kind",
         "assignment: expected tokens that " + number(E) + " experts divide, found " + number(T));
  refuse(r.select.kind == Select::expertChoice && r.capacity.dropless(), "capacity",
         "expert_choice needs slots or a factor");
  refuse((r.select.kind == Select::hash) != (r.logits.kind == Recipe::Logits::Kind::none), "logits.kind",
         "none belongs to hash selection, and hash to none");
  refuse(r.select.kind == Select::hash && r.weigh.kind != Recipe::Weigh::Kind::one, "weigh.kind",
         "hash has no scores to weigh by, expected one");
  refuse(r.select.kind == Select::hash && !r.balance.empty(), "balance", "hash has no scores to balance");
  refuse(r.select.randomSecond && (!topK || r.select.k != 2), "select.random_second", "expected top_k with k = 2");
  if (const auto& force = r.select.force) {
    refuse(!topK, "select.force", "expected top_k");
    refuse(force->experts.empty(), "select.force.experts", "expected at least one expert, found none");
    for (const int e : force->experts)
      refuse(e < 0 || e >= E, "select.force.experts", "expected experts below " + number(E) + ", found " + number(e));
  }
  if (const auto& groups = r.adjust.expertGroups) {
    refuse(!topK, "adjust.expert_groups", "expected top_k");
    refuse(groups->count < 1 || E % groups->count != 0, "adjust.expert_groups.count",
           "expected a divisor of " + number(E) + ", found " + number(groups->count));
    refuse(groups->keep < 1 || groups->keep > groups->count || groups->keep * (E / groups->count) < r.select.k,
           "adjust.expert_groups.keep", "the groups kept hold too few experts");
    refuse(groups->by == Recipe::Adjust::ExpertGroups::By::top2Sum && E / groups->count < 2, "adjust.expert_groups.by",
           "top2_sum needs two experts a group");
  }
}

void checkCapacity(const Recipe& r, std::int64_t T) {
  using Overflow = Recipe::Capacity::Overflow;
  const Recipe::Capacity& c = r.capacity;
  refuse(c.tokenGroups < 1 || T % c.tokenGroups != 0, "capacity.token_groups",
         "expected a divisor of " + number(T) + " tokens, found " + number(c.tokenGroups));
  refuse(r.select.kind == Recipe::Select::Kind::expertChoice && c.slots && *c.slots > T / c.tokenGroups,
         "capacity.slots", "expert_choice: expected at most the " + number(T / c.tokenGroups) + " tokens of a group");
  refuse(c.overflow == Overflow::nextBest && c.order != Recipe::Capacity::Order::slot, "capacity.order",
         "next_best needs slot");
  refuse(
      c.overflow == Overflow::noTokenLeftBehind && (r.slotsPerToken() != 1 || c.tries < 1 || c.tries > r.experts.count),
      "capacity.overflow", "no_token_left_behind needs k = 1 and tries from 1 to the number of experts");
  refuse(!c.dropless() && r.logits.kind == Recipe::Logits::Kind::none && c.overflow != Overflow::drop,
         "capacity.overflow", "expected drop where there is no router");
}

void checkBalance(const Recipe& r, std::int64_t T) {
  using Kind = Recipe::BalanceTerm::Kind;
  std::set<std::string> names;
  for (std::size_t i = 0; i < r.balance.size(); ++i) {
    const Recipe::BalanceTerm& term = r.balance[i];
    const std::string where = "balance." + number(static_cast<std::int64_t>(i));
    refuse(!names.insert(term.name).second, where + ".name",
           "expected a name of its own, found \"" + term.name + "\" again");
    const bool blocks = term.kind == Kind::device || term.kind == Kind::communication;
    refuse(blocks && (term.devices < 1 || r.experts.count % term.devices != 0), where + ".devices",
           "expected a divisor of " + number(r.experts.count) + ", found " + number(term.devices));
    refuse(
        term.kind == Kind::loadCv2 && (r.select.kind != Recipe::Select::Kind::topK || r.select.k >= r.experts.count ||
                                       r.perturb.noise == Recipe::Perturb::Noise::none ||
                                       r.perturb.noiseAppliesTo != Recipe::Perturb::AppliesTo::both),
        where + ".kind", "load_cv2 needs top_k with k below the number of experts, and noise that applies to both");
    refuse(term.scope == Recipe::BalanceTerm::Scope::tokenGroup && T % r.capacity.tokenGroups != 0, where + ".scope",
           "the groups do not divide the tokens");
  }
  for (std::size_t i = 0; i < r.head.losses.size(); ++i) {
    const Recipe::Head::Loss& loss = r.head.losses[i];
    const std::string where = "head.losses." + number(static_cast<std::int64_t>(i));
    refuse(!names.insert(loss.name).second, where + ".name",
           "expected a name of its own, found \"" + loss.name + "\" again");
  }
}

/// Numbers outside of their settings' ranges. Combinations that only training refuses are not among them.
void checkRanges(const Recipe& r) {
  const std::vector<Problem> outside = recipeRows().outOfRange(r);
  refuse(!outside.empty(), outside.empty() ? "" : outside.front().path,
         outside.empty() ? "" : outside.front().sentence);
}

/// Rows of the tables by id, an expert a column: what config and the ids may ask for.
void checkTables(const GoldenVector& file, const Recipe& r) {
  constexpr std::int64_t kMostCells = 1 << 26;
  const std::int64_t most = kMostCells / r.experts.count;
  const auto check = [&](const std::string& subject, double rows) {
    if (rows > static_cast<double>(most))
      throw Error("golden", subject + ": expected at most " + number(most) + " for " + number(r.experts.count) +
                                " experts, found " + number(static_cast<std::int64_t>(rows)));
  };
  check("config.vocabulary", static_cast<double>(file.vocabulary));
  check("config.domains", static_cast<double>(file.domains));
  for (const char* role : {"batch.token_ids", "metrics.predicted_ids", "batch.domain_ids"})
    if (const GoldenTensor* ids = file.find(role))
      check(role, *std::max_element(ids->data.begin(), ids->data.end()) + 1);
}

/// What the format has no inputs for.
void checkRoles(const GoldenVector& file, const Recipe& r, const GoldenSizes& sizes) {
  const bool plain = r.experts.kind == ExpertKind::glu || r.experts.kind == ExpertKind::mlp;
  refuse(r.perturb.wholeExpertDropout > 0 && file.kind != GoldenVector::Kind::metrics, "perturb.whole_expert_dropout",
         "the file format has no role for its draws");
  if (file.kind != GoldenVector::Kind::layer) return;
  refuse(r.experts.bias && plain, "experts.bias", "the file format has no role for the biases of mlp and glu");
  refuse(r.combine.shared && (!plain || r.experts.bias), "combine.shared",
         "the file format has roles for shared experts of kind mlp and glu without bias only");
  refuse(r.combine.denseResidual &&
             (r.combine.denseResidual->bias ||
              (r.combine.denseResidual->kind != ExpertKind::glu && r.combine.denseResidual->kind != ExpertKind::mlp)),
         "combine.dense_residual", "the file format has roles for mlp and glu without bias only");
  refuse((r.combine.denseResidual || file.find("block.post_attention")) && sizes['O'] != sizes['D'],
         "experts.output_width", "expected the layer's own width beside a residual");
  const bool fromDense = file.find("experts.init.up") != nullptr;
  refuse(fromDense && r.experts.initNoise != 0, "experts.init.noise", "the file format has no role for its draws");
  if (fromDense) {
    const std::int64_t wanted =
        r.experts.init == Recipe::Experts::Init::denseSlice ? sizes['E'] * r.hiddenOf(0) : r.hiddenOf(0);
    const bool fits = r.experts.init == Recipe::Experts::Init::denseSlice ? sizes['G'] >= wanted : sizes['G'] == wanted;
    refuse(!fits, "experts.init",
           "expected a dense network of " + number(wanted) + " hidden units, found " + number(sizes['G']));
  }
  if (const GoldenTensor* up = file.find("combine.shared.up"))
    refuse(
        up->shape.size() == 2 && r.combine.shared->count > 1, "combine.shared.count",
        "the recipe has " + number(r.combine.shared ? r.combine.shared->count : 0) + " shared experts, the file one");
  refuse(r.head.kind == Recipe::Head::Kind::mixture && r.select.kind != Recipe::Select::Kind::all, "select.kind",
         "the mixture head needs all");
  if (const GoldenTensor* target = file.find("head.target"))
    refuse((target->type == GoldenTensor::Type::i64) != (r.head.density == Recipe::Head::Density::categorical),
           "head.density", "gaussian has real targets [T, O], categorical has ids [T]");
}

}  // namespace

void refuseSizes(const GoldenVector& file, const Recipe& r) {
  const int E = r.experts.count;
  checkRanges(r);
  refuse(r.combine.shared && r.combine.shared->hidden < 1, "combine.shared.hidden", "expected 1 or more");
  refuse(r.combine.denseResidual && r.combine.denseResidual->hidden < 1, "combine.dense_residual.hidden",
         "expected 1 or more");
  if (file.kind == GoldenVector::Kind::layer && r.experts.kind != ExpertKind::linear) {
    const auto& hidden = r.experts.hidden;
    refuse(hidden.size() != 1 && hidden.size() != static_cast<std::size_t>(E), "experts.hidden",
           "expected one size or a list of " + number(E) + ", found " +
               number(static_cast<std::int64_t>(hidden.size())) + " sizes");
    refuse(std::any_of(hidden.begin(), hidden.end(), [&](int f) { return f != hidden.front(); }), "experts.hidden",
           "expected one size for all experts: the file format has no shape for different ones");
  }
}

void refuseUnrunnable(const GoldenVector& file, const Recipe& r, const GoldenSizes& sizes) {
  const std::int64_t T = sizes['T'];
  checkSelection(r, T);
  checkCapacity(r, T);
  checkBalance(r, T);
  checkTables(file, r);
  checkRoles(file, r, sizes);
}

}  // namespace moe
