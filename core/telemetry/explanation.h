#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/telemetry/points.h"
#include "core/telemetry/study.h"

namespace moe {

/// How a number on the screen came about: its formula, and the same with the present values in it.
struct Explanation {
  std::string name;     // "MaxVio, layer 2, step 400"
  std::string formula;  // "max c / mean c − 1"
  std::string values;   // "412 / 256 − 1 = 0.61"; a sentence where it was not measured
  std::string meaning;  // one sentence
};

/// How one layer's router gets from logits to weights.
struct RouterFacts {
  int layer = 0;  // or kHeadLayer
  enum class Score { none, softmax, sigmoid, identity } score = Score::softmax;
  enum class Weight { score, renormalised, softmaxSelected, one } weight = Weight::renormalised;
  double epsilon = 0, scale = 1;
  std::string ranking;  // "r = s", "r = s + b"
};

/// Numbers of a run that do not change from step to step.
struct RunFacts {
  struct Term {
    std::string label, formula;
    double coefficient = 0;
    bool z = false;                   // belongs to the z loss, not to the aux loss
    int copies = 1;                   // how often the coefficient counts: once a layer, or once for all
    std::optional<double> atBalance;  // value at perfect balance, with one assignment a token
    bool timesAssignments = false;    // atBalance grows with the assignments a token has
    bool oneAbove = false;            // scaled = 1 + value instead of value / atBalance
    std::string convention;
  };
  std::int64_t tokens = 0;                              // a step
  std::int64_t validatedTokens = 0, heldOutTokens = 0;  // RunSummary's
  double slots = 0;                                     // k
  std::vector<Term> terms;
  std::int64_t totalParameters = 0, activeParameters = 0;
  double flopsPerToken = 0;
  std::string assumedActive;         // a sentence where the number of experts a token passes varies; else empty
  double deadBelow = 0;              // of the fair share
  double deadClears = 0;             // of the fair share
  int deadWindow = 0;                // steps
  std::vector<RouterFacts> routers;  // expert layers in order, then a mixture head
  struct Part {
    std::string name;
    std::int64_t count = 0;
  };
  std::vector<Part> parts;  // of the parameters, by what they do
  /// Predicted peak of a run: what its text takes to be loaded, or, where that is more, training: parameters and tokens of a
  /// batch, each times its bytes, the text as tokens, and the program with what it remembers.
  struct Memory {
    double parameterBytes = 0, tokenBytes = 0;
    std::int64_t tokens = 0;   // in one batch
    std::int64_t text = 0;     // bytes
    std::int64_t other = 0;    // bytes
    std::int64_t loading = 0;  // bytes, before there is a model
    double training(std::int64_t parameters) const {
      return static_cast<double>(parameters) * parameterBytes + static_cast<double>(tokens) * tokenBytes +
             static_cast<double>(text + other);
    }
  } memory;
};

/// How a metric of the whole run came about at a point, and one of a layer. Name, formula and meaning are its row's.
Explanation explain(Metric metric, const StepPoint& point, const RunFacts& facts);
Explanation explain(Metric metric, const LayerPoint& layer, std::int64_t step, const RunFacts& facts);

/// Sizes that a person decides by, the same at every step.
enum class ModelQuantity { totalParameters, activeParameters, flops, memory };
Explanation explain(ModelQuantity quantity, const RunFacts& facts);

/// What a token of the newest step really passed, mean over its tokens.
Explanation explainRouted(double parameters, double flops, const RunFacts& facts);
/// Why an alert stands. `experts`: of its layer.
Explanation explainAlert(const Alert& alert, std::size_t experts, const RunFacts& facts);

/// Norm of the balance terms' gradient / norm of the language loss's; nothing where it was not measured or that is 0.
std::optional<double> balancerShare(const LayerPoint& layer);
/// Load and utilisation of one expert.
Explanation explainLoad(const LayerPoint& layer, std::size_t expert, std::int64_t step);
/// A term's value on the scale on which 1 is perfect balance; nothing where it was not measured or balances nothing.
std::optional<double> scaledTerm(const StepPoint& point, std::size_t term, const RunFacts& facts);
/// One balance term: raw value, and the same on the scale on which 1 is perfect balance.
Explanation explainTerm(const StepPoint& point, std::size_t term, const RunFacts& facts);

enum class StudyQuantity {
  saturation,
  churn,
  maxVioGlobal,
  inputSpecialisation,
  nextSpecialisation,
  predictedSpecialisation
};
/// `newest`: step of the run's newest study, which saturation is measured against.
Explanation explain(StudyQuantity quantity, const RunStudy& study, std::size_t layer, const StudyChange& change,
                    std::int64_t newest);
/// Cells of the two tables of a study.
Explanation explainCoactivation(const RunStudy& study, std::size_t layer, std::size_t row, std::size_t column);
Explanation explainDomain(const RunStudy& study, std::size_t layer, std::size_t domain, std::size_t expert);

/// Whether a balance term with a coefficient does nothing to a layer's router: its gradient there is zero, or drowned in
/// rounding.
bool actsOnRouter(double termGradient, double languageGradient);
/// A sentence for every term that is switched on and does not act at this point; empty: all is well, or not measured.
std::vector<std::string> idleTerms(const StepPoint& point, const RunFacts& facts);

}  // namespace moe
