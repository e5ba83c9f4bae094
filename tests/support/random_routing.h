#pragma once
// Random recipes that nothing refuses, and a whole routing's inputs for one: what property tests run over.
#include <algorithm>
#include <string>
#include <vector>

#include "core/router/balance.h"
#include "core/router/draws.h"
#include "core/router/hash_table.h"
#include "core/router/pipeline.h"
#include "core/router/problems.h"
#include "core/tensor/philox.h"

namespace moe::test {

/// A stream of seeded choices.
class Choices {
 public:
  explicit Choices(std::uint64_t seed) : key_{.seed = seed, .stream = RandomStream::sampling} {}
  double uniform() { return uniformAt(key_, next_++, 0); }
  int below(int n) { return std::min(n - 1, static_cast<int>(uniform() * n)); }
  int between(int low, int high) { return low + below(high - low + 1); }
  bool chance(double p) { return uniform() < p; }
  template <class V>
  V of(std::initializer_list<V> values) {
    return values.begin()[below(static_cast<int>(values.size()))];
  }

 private:
  RandomKey key_;
  std::uint32_t next_ = 0;
};

inline Recipe::BalanceTerm randomTerm(Choices& c, const std::string& name) {
  using Term = Recipe::BalanceTerm;
  Term term;
  term.name = name;
  term.kind = c.of({Term::Kind::load, Term::Kind::load, Term::Kind::load, Term::Kind::device, Term::Kind::communication,
                    Term::Kind::z, Term::Kind::entropy, Term::Kind::importanceCv2, Term::Kind::loadCv2});
  term.coefficient = c.chance(0.2) ? 0 : 0.05 + c.uniform();
  term.normalisation = c.of({Term::Normalisation::unit, Term::Normalisation::perToken, Term::Normalisation::mean});
  term.counts = c.of({Term::Counts::all, Term::Counts::first});
  term.countsFrom = c.of({Term::CountsFrom::selected, Term::CountsFrom::unadjusted});
  term.scope =
      c.of({Term::Scope::microBatch, Term::Scope::globalBatch, Term::Scope::sequence, Term::Scope::tokenGroup});
  term.layers = c.of({Term::Layers::separate, Term::Layers::mean, Term::Layers::concatenated});
  term.devices = 2;
  term.maxDevices = 1;
  return term;
}

/// Any combination that `problems` lets pass.
inline Recipe randomRecipe(Choices& c) {
  using R = Recipe;
  for (;;) {
    R r;
    r.experts.count = c.of({4, 6, 8});
    r.experts.hidden = {4};
    r.select.kind = c.of({R::Select::Kind::topK, R::Select::Kind::topK, R::Select::Kind::topK, R::Select::Kind::topK,
                          R::Select::Kind::topP, R::Select::Kind::all, R::Select::Kind::hash,
                          R::Select::Kind::assignment, R::Select::Kind::expertChoice});
    r.select.k = c.between(1, 3);
    r.select.p = 0.3 + 0.6 * c.uniform();
    const bool hash = r.select.kind == R::Select::Kind::hash;
    const bool topK = r.select.kind == R::Select::Kind::topK;
    if (hash) r.logits.kind = R::Logits::Kind::none;
    r.logits.bias = !hash && c.chance(0.5);
    if (!hash) {
      if (c.chance(0.3)) r.perturb.inputJitter = 0.1;
      r.perturb.noise = c.of({R::Perturb::Noise::none, R::Perturb::Noise::gaussian, R::Perturb::Noise::learned});
      r.perturb.sigma = 0.7;
      r.perturb.noiseEpsilon = 0.01;
      r.perturb.noiseAppliesTo = c.of({R::Perturb::AppliesTo::both, R::Perturb::AppliesTo::selection});
      r.perturb.anneal = c.of({R::Perturb::Anneal::none, R::Perturb::Anneal::linear, R::Perturb::Anneal::cosine});
      r.perturb.annealFraction = 0.5;
      if (c.chance(0.2)) r.perturb.wholeExpertDropout = 0.2;
    }
    r.score = c.of({R::Score::softmax, R::Score::softmax, R::Score::sigmoid, R::Score::identity});
    r.adjust.rankBy = c.of({R::Adjust::RankBy::scores, R::Adjust::RankBy::logits});
    if (topK && c.chance(0.4)) r.adjust.selectionBias.emplace();
    if (topK && c.chance(0.3))
      r.adjust.expertGroups = R::Adjust::ExpertGroups{
          2, c.between(1, 2), c.of({R::Adjust::ExpertGroups::By::max, R::Adjust::ExpertGroups::By::top2Sum})};
    r.weigh.kind = hash ? R::Weigh::Kind::one
                        : c.of({R::Weigh::Kind::score, R::Weigh::Kind::renormalised, R::Weigh::Kind::softmaxSelected});
    r.weigh.epsilon = c.of({0.0, 0.01});
    r.weigh.scale = c.of({1.0, 2.5});
    if (topK && c.chance(0.15)) r.select.randomSecond = R::Select::RandomSecond{2.0, c.chance(0.5)};
    if (topK && c.chance(0.3)) r.select.force = R::Select::Force{{0, 2}, 0.4, 100};
    if (c.chance(0.6) || r.select.kind == R::Select::Kind::expertChoice) {
      if (c.chance(0.5))
        r.capacity.slots = c.between(1, 8);
      else
        r.capacity.factor = 0.5 + c.uniform();
      r.capacity.countsK = c.chance(0.5);
      r.capacity.rounding =
          c.of({R::Capacity::Rounding::floor, R::Capacity::Rounding::ceil, R::Capacity::Rounding::round});
      r.capacity.order = c.of({R::Capacity::Order::slot, R::Capacity::Order::token,
                               R::Capacity::Order::batchPrioritised, R::Capacity::Order::probability});
      r.capacity.overflow = c.of({R::Capacity::Overflow::drop, R::Capacity::Overflow::drop,
                                  R::Capacity::Overflow::nextBest, R::Capacity::Overflow::noTokenLeftBehind});
      r.capacity.tries = 3;
      r.capacity.renormaliseAfterDrop = c.chance(0.3);
    }
    r.capacity.tokenGroups = c.of({1, 1, 2});
    const int terms = hash ? 0 : c.below(4);
    for (int i = 0; i < terms; ++i) r.balance.push_back(randomTerm(c, "term" + std::to_string(i)));
    if (problems(r).empty()) return r;
  }
}

/// One layer's routing of T random tokens. Everything an input refers to is owned here.
class RandomRouting {
 public:
  static constexpr std::int64_t kTokens = 24, kWidth = 6;

  RandomRouting(Recipe recipe, std::uint64_t seed, DType dtype = DType::f64) : recipe_(std::move(recipe)) {
    const std::int64_t experts = recipe_.experts.count;
    const auto draw = [&](Shape shape, std::uint32_t layer, double deviation) {
      Tensor tensor = hostTensor(shape, dtype);
      fillNormal(tensor, {.seed = seed, .stream = RandomStream::parameters, .layer = layer}, 0, deviation);
      return tensor;
    };
    x = draw({kTokens, kWidth}, 1, 1);
    weight = draw({experts, kWidth}, 2, 0.6);
    bias = draw({experts}, 3, 0.3);
    noiseWeight = draw({experts, kWidth}, 4, 0.4);
    upstream = draw({kTokens, recipe_.slotsPerToken()}, 5, 1);
    input.x = x;
    if (recipe_.logits.kind == Recipe::Logits::Kind::linear) {
      input.weights.weight = weight;
      if (recipe_.logits.bias) input.weights.bias = bias;
      if (recipe_.perturb.noise == Recipe::Perturb::Noise::learned) input.weights.noiseWeight = noiseWeight;
    }
    if (recipe_.adjust.selectionBias) {
      selectionBias.resize(static_cast<std::size_t>(experts));
      for (std::size_t e = 0; e < selectionBias.size(); ++e)
        selectionBias[e] =
            0.2 * uniformAt({.seed = seed, .stream = RandomStream::newExperts}, 0, static_cast<std::uint32_t>(e));
      input.selectionBias = selectionBias;
    }
    table = makeHashTable(11, recipe_.experts.count, seed, 0);
    for (std::int64_t t = 0; t < kTokens; ++t) ids.push_back(static_cast<std::int32_t>(t * 7 % 11));
    input.tokenIds = ids;
    input.hashTable = table;
    input.sequences = 3;
    input.step = 10;
    input.totalSteps = 100;
    input.lossScale = 0.5;
    input.draws = fillDraws(buffers, recipe_, {.seed = seed, .step = 10, .totalSteps = 100}, Phase::training, kTokens,
                            kWidth, dtype);
  }
  RandomRouting(RandomRouting&&) = delete;

  const Recipe& recipe() const { return recipe_; }

  /// sum of final weight * upstream, plus the balance terms times lossScale.
  double objective() {
    routeForward(routing, recipe_, input);
    Routing* const layer[] = {&routing};
    double sum = finishBalance(layer, recipe_).loss * input.lossScale;
    for (std::int64_t i = 0; i < routing.finalWeight.elements(); ++i)
      sum += routing.finalWeight.as<double>()[i] * upstream.as<double>()[i];
    return sum;
  }
  /// Gradient of the language part by assignment, as the experts would hand it over.
  std::vector<double> dAssignment() const {
    std::vector<double> out;
    const Dispatch& d = routing.dispatch;
    for (std::size_t i = 0; i < d.token.size(); ++i) {
      const std::int64_t at = static_cast<std::int64_t>(d.token[i]) * routing.slots + d.slot[i];
      out.push_back(routing.final[static_cast<std::size_t>(at)] < 0 ? 0 : upstream.as<double>()[at]);
    }
    return out;
  }

  Tensor x, weight, bias, noiseWeight, upstream;
  std::vector<double> selectionBias;
  std::vector<std::int32_t> table, ids;
  DrawBuffers buffers;
  RoutingInput input;
  Routing routing;

 private:
  Recipe recipe_;
};

}  // namespace moe::test
