#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/telemetry/points.h"
#include "core/telemetry/run_facts.h"
#include "core/telemetry/study.h"

namespace moe {

/// How a number on the screen came about: its formula, and the same with the present values in it.
struct Explanation {
  std::string name;     // "MaxVio, layer 2, step 400"
  std::string formula;  // "max c / mean c − 1"
  std::string values;   // "412 / 256 − 1 = 0.61"; a sentence where it was not measured
  std::string meaning;  // one sentence
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
