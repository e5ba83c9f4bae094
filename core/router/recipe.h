#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace moe {

enum class Activation { relu, gelu, geluTanh, silu };
enum class ExpertKind { mlp, glu, clampedGlu, linear };

/// Everything that determines one MoE layer's computation, in the order a token passes it. Keys, values, defaults and
/// formulas are those of the recipe vocabulary; `recipe_json.h` reads and writes it. An aggregate: no invariants here,
/// `problems(recipe)` says what is refused and why.
struct Recipe {
  struct Experts {
    int count = 0;  // E
    ExpertKind kind = ExpertKind::glu;
    Activation activation = Activation::silu;
    std::vector<int> hidden;  // F: one entry for all, or E entries
    bool bias = false;
    int outputWidth = 0;                // 0: the model width D
    double alpha = 1.702, limit = 7.0;  // clampedGlu only
    enum class Init { random, denseCopy, denseSlice } init = Init::random;
    double initNoise = 0;  // share of the weight's standard deviation
    bool operator==(const Experts&) const = default;
  } experts;

  struct Logits {
    enum class Kind { linear, none } kind = Kind::linear;
    bool bias = false;
    bool operator==(const Logits&) const = default;
  } logits;

  struct Perturb {
    double inputJitter = 0;  // eps
    enum class Noise { none, gaussian, learned } noise = Noise::none;
    double sigma = 1.0, noiseEpsilon = 0;
    enum class AppliesTo { both, selection } noiseAppliesTo = AppliesTo::both;
    enum class Anneal { none, linear, cosine } anneal = Anneal::none;
    double annealFraction = 0.1;
    double wholeExpertDropout = 0;  // q
    bool operator==(const Perturb&) const = default;
  } perturb;

  enum class Score { softmax, sigmoid, identity } score = Score::softmax;

  struct Adjust {
    enum class RankBy { scores, logits } rankBy = RankBy::scores;
    struct SelectionBias {
      double rate = 0.001;
      enum class Update { sign, proportional } update = Update::sign;
      bool operator==(const SelectionBias&) const = default;
    };
    std::optional<SelectionBias> selectionBias;
    struct ExpertGroups {
      int count = 1, keep = 1;
      enum class By { max, top2Sum } by = By::max;
      bool operator==(const ExpertGroups&) const = default;
    };
    std::optional<ExpertGroups> expertGroups;
    bool operator==(const Adjust&) const = default;
  } adjust;

  struct Select {
    enum class Kind { topK, topP, all, hash, assignment, expertChoice } kind = Kind::topK;
    int k = 2;
    double p = 0.4;
    enum class Generation { refuse, past } generation = Generation::refuse;  // expertChoice only
    struct RandomSecond {
      double scale = 2.0;
      bool skippedTakesSlot = false;
      bool operator==(const RandomSecond&) const = default;
    };
    std::optional<RandomSecond> randomSecond;
    struct Force {
      std::vector<int> experts;
      double fraction = 0.2;
      std::int64_t steps = 1000;
      bool operator==(const Force&) const = default;
    };
    std::optional<Force> force;
    bool operator==(const Select&) const = default;
  } select;

  struct Weigh {
    enum class Kind { score, renormalised, softmaxSelected, one } kind = Kind::renormalised;
    double epsilon = 0, scale = 1;
    enum class AppliesTo { output, input } appliesTo = AppliesTo::output;
    bool operator==(const Weigh&) const = default;
  } weigh;

  struct Capacity {
    std::optional<std::int64_t> slots;  // C, given directly
    std::optional<double> factor, evalFactor;
    bool countsK = false;
    enum class Rounding { floor, ceil, round } rounding = Rounding::ceil;
    std::int64_t minimum = 1;
    int tokenGroups = 1;
    enum class Order { slot, token, batchPrioritised, probability } order = Order::slot;
    enum class Overflow { drop, nextBest, noTokenLeftBehind } overflow = Overflow::drop;
    int tries = 0;  // noTokenLeftBehind only
    bool renormaliseAfterDrop = false;
    bool dropless() const { return !slots && !factor; }
    bool operator==(const Capacity&) const = default;
  } capacity;

  struct Combine {
    struct Shared {
      int count = 1;
      int hidden = 0;
      bool tokenGate = false;  // sigmoid(w_s . x), one number a token
      bool operator==(const Shared&) const = default;
    };
    std::optional<Shared> shared;
    struct DenseResidual {
      ExpertKind kind = ExpertKind::glu;
      Activation activation = Activation::silu;
      int hidden = 0;
      bool bias = false;
      bool operator==(const DenseResidual&) const = default;
    };
    std::optional<DenseResidual> denseResidual;
    double expertDropout = 0;  // on the hidden activation of routed experts
    bool operator==(const Combine&) const = default;
  } combine;

  struct Block {
    enum class MoeReads { postAttention, preAttention } moeReads = MoeReads::postAttention;
    std::optional<double> normEpsilon;  // of the block's norms; absent: the model's
    static constexpr double kStandardNormEpsilon = 1e-5;
    bool operator==(const Block&) const = default;
  } block;

  struct Head {
    enum class Kind { linear, mixture } kind = Kind::linear;
    enum class Density { categorical, gaussian } density = Density::categorical;
    enum class Form { likelihood, competitive, cooperative };
    struct Loss {
      std::string name;
      Form form = Form::likelihood;
      double coefficient = 0;
      bool operator==(const Loss&) const = default;
    };
    std::vector<Loss> losses;
    bool operator==(const Head&) const = default;
  } head;

  struct BalanceTerm {
    std::string name;
    enum class Kind { load, device, communication, z, entropy, importanceCv2, loadCv2 } kind = Kind::load;
    double coefficient = 0;  // 0: measured, not trained on
    enum class Normalisation { unit, perToken, mean } normalisation = Normalisation::unit;
    enum class Counts { all, first } counts = Counts::all;
    enum class CountsFrom { selected, unadjusted } countsFrom = CountsFrom::selected;
    enum class Scope { microBatch, globalBatch, sequence, tokenGroup } scope = Scope::microBatch;
    enum class Layers { separate, mean, concatenated } layers = Layers::separate;
    int devices = 0, maxDevices = 0;
    double epsilon = 1e-10;  // the CV^2 kinds only
    bool operator==(const BalanceTerm&) const = default;
  };
  std::vector<BalanceTerm> balance;

  bool operator==(const Recipe&) const = default;

  /// Hidden width of expert e.
  std::int64_t hiddenOf(int e) const {
    return experts.hidden.empty() ? 0 : experts.hidden[experts.hidden.size() == 1 ? 0 : static_cast<std::size_t>(e)];
  }
  /// Slots a token: k, 1 for hash and assignment, E for top_p, all and expert_choice.
  int slotsPerToken() const {
    switch (select.kind) {
      case Select::Kind::topK: return select.k;
      case Select::Kind::hash:
      case Select::Kind::assignment: return 1;
      default: return experts.count;
    }
  }
};

/// Every token asks every expert, so that assignments count by their weights (Jacobs et al. 1991).
inline bool asksEveryExpert(const Recipe& recipe) { return recipe.select.kind == Recipe::Select::Kind::all; }
/// The columns of a token's choices are experts, not choices in order: its first is the one of the largest weight.
inline bool slotsAreExperts(const Recipe& recipe) {
  return asksEveryExpert(recipe) || recipe.select.kind == Recipe::Select::Kind::expertChoice;
}

/// How much of the pipeline runs: training uses every stage; evaluation switches off draws and `force`; generation
/// (one token at a time, and the inspection of a text) switches capacity off too.
enum class Phase { training, evaluation, generation };

/// A setting that is refused: where it stands ("select.k", "balance.0.coefficient") and a sentence that says why.
struct Problem {
  std::string path;
  std::string sentence;
};

/// Everything wrong with a recipe by itself (not with its fit to a model). Empty: it may be trained. A router that does
/// not learn needs no gradient, so its weights may be constant.
std::vector<Problem> problems(const Recipe& recipe, bool routerLearns = true);

}  // namespace moe
