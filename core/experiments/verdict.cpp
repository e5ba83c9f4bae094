#include "core/experiments/verdict.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/number_text.h"

namespace moe {
namespace {

constexpr int kRatioDigits = 2;

std::string nameOf(const Quantity& quantity) {
  const NamedMeasure named = measureNamed(quantity.measure);
  std::string text(named.measure->label);
  if (named.step >= 0) text += " after " + std::to_string(named.step) + " steps";
  return text + " of *" + quantity.arm + "*";
}

std::vector<double> required(const Outcome& outcome, const Quantity& quantity) {
  std::vector<double> values = outcome.values(quantity.arm, quantity.measure);
  if (values.empty())
    throw Error("experiment", outcome.experiment.id + ": " + quantity.arm + " has no " + quantity.measure +
                                  "; a band expects it, so choose a measure its model has or validate at that step");
  return values;
}

}  // namespace

std::vector<double> Outcome::values(const std::string& arm, const std::string& measure) const {
  const auto found = std::ranges::find(experiment.arms, arm, &Arm::name);
  std::vector<double> list;
  for (const ArmResult& result : results[static_cast<std::size_t>(found - experiment.arms.begin())]) {
    const std::optional<double> value = result.value(measure);
    if (!value) return {};
    list.push_back(*value);
  }
  return list;
}

Verdict judge(const Outcome& outcome, const Band& band) {
  Verdict verdict;
  verdict.values = required(outcome, band.of);
  if (band.against != Band::Against::nothing) {
    const std::vector<double> other = required(outcome, band.other);
    for (std::size_t seed = 0; seed < other.size(); ++seed)
      if (band.against == Band::Against::minus)
        verdict.values[seed] -= other[seed];
      else
        verdict.values[seed] /= other[seed];
  }
  const auto within = [&](double value) {
    return (!band.atLeast || value >= *band.atLeast) && (!band.atMost || value <= *band.atMost);
  };
  if (!band.withinSeedsOf.empty()) {
    const std::vector<double> seeds = required(outcome, {band.withinSeedsOf, band.of.measure});
    verdict.seedsApart = std::ranges::max(seeds) - std::ranges::min(seeds);
    verdict.holds = std::abs(meanOf(verdict.values)) <= verdict.seedsApart;
    return verdict;
  }
  // A comparison with a value that is no number is false: such a band does not hold.
  verdict.holds = band.reading == Band::Reading::mean ? within(meanOf(verdict.values))
                                                      : std::ranges::all_of(verdict.values, within);
  return verdict;
}

std::string expectationOf(const Band& band) {
  std::string text;
  if (!band.withinSeedsOf.empty())
    text = "no further from 0 than the seeds of *" + band.withinSeedsOf + "* are apart";
  else if (band.atLeast && band.atMost)
    text = *band.atLeast == *band.atMost ? "exactly " + numberText(*band.atLeast)
                                         : numberText(*band.atLeast) + " to " + numberText(*band.atMost);
  else
    text = band.atLeast ? "at least " + numberText(*band.atLeast) : "at most " + numberText(*band.atMost);
  return text + (band.reading == Band::Reading::mean ? ", mean of the seeds" : ", every seed");
}

std::string quantityOf(const Band& band) {
  std::string text = nameOf(band.of);
  if (band.against == Band::Against::minus) text += " minus " + nameOf(band.other);
  if (band.against == Band::Against::over) text += " over " + nameOf(band.other);
  return text;
}

std::string measuredText(const Verdict& verdict, const Band& band) {
  const int digits = band.against == Band::Against::over ? kRatioDigits : measureNamed(band.of.measure).measure->digits;
  const std::string text = textOfValues(verdict.values, digits);
  return band.withinSeedsOf.empty() ? text : text + "; seeds " + textOfValues({verdict.seedsApart}, digits) + " apart";
}

}  // namespace moe
