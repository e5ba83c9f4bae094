#include "core/router/problems.h"

#include <algorithm>
#include <string>

#include "core/router/recipe_rows.h"

namespace moe {
namespace {

using Select = Recipe::Select::Kind;
using Weigh = Recipe::Weigh::Kind;
using Term = Recipe::BalanceTerm;
using Overflow = Recipe::Capacity::Overflow;

class Check {
 public:
  Check(const Recipe& recipe, bool routerLearns) : r(recipe), routerLearns_(routerLearns) {}

  std::vector<Problem> all() {
    found_ = recipeRows().outOfRange(r);
    experts();
    perturb();
    routerAndScore();
    adjust();
    sinkhorn();
    select();
    setEdits();
    weigh();
    capacity();
    combine();
    for (std::size_t i = 0; i < r.balance.size(); ++i) term(r.balance[i], "balance." + std::to_string(i));
    names();
    return std::move(found_);
  }

 private:
  void refuse(bool wrong, const std::string& path, const std::string& sentence) {
    if (wrong) found_.push_back({path, sentence});
  }
  bool topK() const { return r.select.kind == Select::topK; }

  void experts() {
    const Recipe::Experts& e = r.experts;
    refuse(e.hidden.size() > 1 && static_cast<int>(e.hidden.size()) != e.count, "experts.hidden",
           "A list of hidden sizes needs one entry for each of the " + std::to_string(e.count) + " experts.");
    refuse(e.hidden.size() > 1 && e.init == Recipe::Experts::Init::denseCopy, "experts.hidden",
           "Copies of the dense network all have its hidden size.");
  }

  void combine() {
    const auto& shared = r.combine.shared;
    refuse(shared && shared->hidden < 1 && r.experts.kind != ExpertKind::linear, "combine.shared.hidden",
           "Shared experts need a hidden size of at least 1.");
    const auto& dense = r.combine.denseResidual;
    refuse(dense && dense->hidden < 1 && dense->kind != ExpertKind::linear, "combine.dense_residual.hidden",
           "The dense network needs a hidden size of at least 1.");
  }

  void perturb() {
    const Recipe::Perturb& p = r.perturb;
    refuse(p.wholeExpertDropout > 0 && (r.select.kind == Select::hash || r.select.kind == Select::assignment),
           "perturb.whole_expert_dropout",
           "Hash and balanced assignment give every expert its share: none can be masked.");
  }

  void routerAndScore() {
    const bool none = r.logits.kind == Recipe::Logits::Kind::none;
    refuse(r.select.kind == Select::hash && !none, "logits.kind", "Hash routing reads no router: set logits to none.");
    refuse(r.select.kind == Select::hash && r.weigh.kind != Weigh::one, "weigh.kind",
           "Hash routing has no scores to weigh by: set the weight to one.");
    refuse(none && r.select.kind != Select::hash, "logits.kind", "Without logits only hash routing can select.");
    refuse(none && r.logits.bias, "logits.bias", "Without logits there is no bias.");
    refuse(none && (r.perturb.inputJitter > 0 || r.perturb.noise != Recipe::Perturb::Noise::none), "perturb",
           "Without logits there is nothing to perturb.");
    refuse(none && !r.balance.empty(), "balance", "Without logits there are no probabilities to balance.");
    refuse(r.score == Recipe::Score::identity && r.weigh.kind == Weigh::renormalised, "weigh.kind",
           "Identity scores may be negative: they cannot be renormalised. Use softmax_selected or score.");
    refuse(r.select.kind == Select::topP && r.score != Recipe::Score::softmax, "score.kind",
           "Top-p adds up probabilities: it needs softmax scores.");
  }

  void adjust() {
    if (r.adjust.selectionBias) { refuse(!topK(), "adjust.selection_bias", biasSentence()); }
    if (const auto& groups = r.adjust.expertGroups) {
      const std::string path = "adjust.expert_groups";
      refuse(!topK(), path, "Expert groups act on ranks: they need top-k selection.");
      if (groups->count < 1 || r.experts.count % std::max(1, groups->count) != 0)
        return refuse(true, path + ".count", "The number of groups must divide the number of experts.");
      const int each = r.experts.count / groups->count;
      refuse(groups->keep < 1 || groups->keep > groups->count, path + ".keep",
             "Between one group and all of them can be kept.");
      refuse(topK() && groups->keep * each < r.select.k, path + ".keep", "The kept groups hold fewer than k experts.");
      refuse(groups->by == Recipe::Adjust::ExpertGroups::By::top2Sum && each < 2, path + ".by",
             "A group of one expert has no second largest: rank groups by max.");
    }
  }
  /// The published router has none of what else would rank, mask or balance.
  void sinkhorn() {
    if (r.adjust.rankBy != Recipe::Adjust::RankBy::sinkhorn) return;
    const std::string path = "adjust.rank_by";
    refuse(!topK(), path, "A transport plan ranks experts: it needs top-k selection.");
    refuse(r.score == Recipe::Score::identity, path,
           "A transport plan goes with probabilities: score by softmax or sigmoid.");
    refuse(r.adjust.selectionBias || r.adjust.expertGroups || r.select.force, path,
           "A transport plan balances by itself: no selection bias, expert groups or cold start beside it.");
    for (const Term& term : r.balance)
      refuse(term.coefficient > 0 && (term.kind == Term::Kind::load || term.kind == Term::Kind::device ||
                                      term.kind == Term::Kind::communication),
             path,
             "A transport plan balances by itself: set the coefficients of load terms to 0, which only measures.");
  }
  std::string biasSentence() const {
    return r.select.kind == Select::expertChoice
               ? "Expert choice is balanced by construction: a bias has nothing to do."
               : "The selection bias acts on ranks: it needs top-k selection.";
  }

  void select() {
    refuse(topK() && r.select.k > r.experts.count, "select.k",
           "k is at most the number of experts, " + std::to_string(r.experts.count) + ".");
    refuse(r.select.kind == Select::assignment && !r.capacity.dropless(), "capacity",
           "Balanced assignment fills every expert equally: it has no capacity.");
    if (r.select.kind != Select::expertChoice) return;
    refuse(r.capacity.dropless(), "capacity",
           "Expert choice needs a capacity: slots or factor say how many tokens an expert takes.");
    refuse(r.capacity.countsK, "capacity.counts_k", "Experts choose here: a token has no k to count.");
    refuse(r.weigh.kind != Weigh::score, "weigh.kind", "Expert choice weighs by score.");
  }

  void setEdits() {
    if (r.select.randomSecond) {
      const std::string path = "select.random_second";
      const bool fits = topK() && r.select.k == 2 && r.weigh.kind == Weigh::renormalised && r.weigh.scale == 1 &&
                        r.capacity.order == Recipe::Capacity::Order::slot && r.capacity.overflow == Overflow::drop;
      refuse(
          !fits, path,
          "A random second choice is tested on the renormalised second weight: it needs top-k with k = 2, renormalised "
          "weights of scale 1, slot order and dropping.");
    }
    if (const auto& force = r.select.force) {
      const std::string path = "select.force";
      refuse(!topK(), path, "A cold start replaces a ranked slot: it needs top-k selection.");
      refuse(force->experts.empty(), path + ".experts", "Name at least one expert to start.");
      refuse(std::any_of(force->experts.begin(), force->experts.end(),
                         [&](int e) { return e < 0 || e >= r.experts.count; }),
             path + ".experts", "Experts are numbered from 0 to " + std::to_string(r.experts.count - 1) + ".");
    }
  }

  void weigh() {
    const Recipe::Weigh& w = r.weigh;
    const bool normalised = w.kind == Weigh::renormalised || w.kind == Weigh::softmaxSelected;
    // The largest of E shares is 1/E or more: a p up to there is reached by it alone.
    const bool single = (topK() && r.select.k == 1) || r.select.kind == Select::assignment ||
                        (r.select.kind == Select::topP && r.select.p * r.experts.count <= 1) ||
                        (r.experts.count == 1 && r.select.kind != Select::expertChoice);
    refuse(
        single && normalised && routerLearns_, "weigh.kind",
        "With one expert a token this weight is always 1: the router would get no gradient from the language loss. Use "
        "score.");
    refuse(w.kind == Weigh::one && r.logits.kind == Recipe::Logits::Kind::linear && routerLearns_, "weigh.kind",
           "A constant weight gives the router no gradient from the language loss.");
  }

  void capacity() {
    const Recipe::Capacity& c = r.capacity;
    refuse(c.slots && c.factor, "capacity.factor", "Give slots or a factor, not both.");
    refuse(c.evalFactor && !c.factor, "capacity.eval_factor",
           "An evaluation factor needs a training factor beside it.");
    refuse(c.overflow == Overflow::nextBest && c.order != Recipe::Capacity::Order::slot, "capacity.order",
           "Overflow to the next best expert is defined in slot order only.");
    refuse(c.overflow == Overflow::noTokenLeftBehind && r.slotsPerToken() > 1, "capacity.overflow",
           "No token left behind is defined for one expert a token (k = 1).");
    refuse(c.overflow != Overflow::drop && r.logits.kind == Recipe::Logits::Kind::none, "capacity.overflow",
           "Hash routing ranks no experts: there is no next best.");
    refuse(c.renormaliseAfterDrop && (r.weigh.kind == Weigh::score || r.weigh.kind == Weigh::one),
           "capacity.renormalise_after_drop",
           "These weights do not depend on the set: there is nothing to renormalise.");
  }

  void term(const Term& t, const std::string& path) {
    const bool blocks = t.kind == Term::Kind::device || t.kind == Term::Kind::communication;
    const bool load = t.kind == Term::Kind::load;
    refuse(r.score == Recipe::Score::identity && (load || blocks || t.kind == Term::Kind::entropy), path + ".kind",
           "This term reads probabilities: identity scores are none.");
    refuse(r.select.kind == Select::expertChoice && (load || blocks || t.kind == Term::Kind::loadCv2), path + ".kind",
           "Expert choice is balanced by construction: there is no load to balance.");
    refuse(blocks && (t.devices < 1 || r.experts.count % std::max(1, t.devices) != 0), path + ".devices",
           "The number of devices must divide the number of experts.");
    refuse(load && t.scope == Term::Scope::tokenGroup && r.capacity.tokenGroups < 2, path + ".scope",
           "There are no token groups: set capacity.token_groups above 1.");
    refuse(
        t.kind == Term::Kind::loadCv2 && (r.perturb.noise == Recipe::Perturb::Noise::none ||
                                          r.perturb.noiseAppliesTo == Recipe::Perturb::AppliesTo::selection ||
                                          !topK() || r.select.k >= r.experts.count),
        path + ".kind",
        "The smooth load needs a noisy threshold: top-k with k below the number of experts, and noise that reaches the "
        "weights too.");
  }

  void names() {
    for (std::size_t i = 0; i < r.balance.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (r.balance[i].name == r.balance[j].name) {
          refuse(true, "balance." + std::to_string(i) + ".name", "Two terms have this name: give each its own.");
          break;
        }
  }

  const Recipe& r;
  const bool routerLearns_;
  std::vector<Problem> found_;  // values outside their range, then what does not go together
};

}  // namespace

std::vector<Problem> problems(const Recipe& recipe, bool routerLearns) { return Check(recipe, routerLearns).all(); }

std::vector<Problem> batchProblems(const Recipe& recipe, std::int64_t tokens) {
  std::vector<Problem> found;
  if (recipe.select.kind == Select::assignment && tokens % recipe.experts.count != 0)
    found.push_back({"select.kind", "Balanced assignment needs a batch of a multiple of " +
                                        std::to_string(recipe.experts.count) + " tokens; this one has " +
                                        std::to_string(tokens) + "."});
  if (recipe.capacity.tokenGroups > 0 && tokens % recipe.capacity.tokenGroups != 0)
    found.push_back({"capacity.token_groups", "The batch's " + std::to_string(tokens) + " tokens do not split into " +
                                                  std::to_string(recipe.capacity.tokenGroups) + " equal groups."});
  return found;
}

std::vector<Problem> marks(const Recipe& recipe) {
  if (recipe.select.kind == Select::expertChoice)
    return {{"select.kind", "Experts choose among all tokens of the batch: the selection sees later tokens."}};
  if (recipe.adjust.rankBy == Recipe::Adjust::RankBy::sinkhorn)
    return {{"adjust.rank_by", "The transport plan is made over the whole batch: the selection sees later tokens."}};
  if (recipe.select.kind == Select::assignment)
    return {{"select.kind", "The assignment is solved over the whole batch: the selection sees later tokens."}};
  return {};
}

}  // namespace moe
