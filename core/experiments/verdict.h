#pragma once
#include <string>
#include <vector>

#include "core/experiments/experiment.h"
#include "core/experiments/measures.h"

namespace moe {

/// Results of one experiment: by arm, then by seed.
struct Outcome {
  Experiment experiment;
  std::vector<std::uint64_t> seeds;
  std::vector<std::vector<ArmResult>> results;  // [arm][seed]
  /// A measure of an arm, one a seed; empty where that model has no such value.
  std::vector<double> values(const std::string& arm, const std::string& measure) const;
};

/// How one band came out.
struct Verdict {
  std::vector<double> values;  // what it bounds, one a seed
  bool holds = false;
};
/// Throws Error("experiment") where a band asks for a measure that its arm does not have.
Verdict judge(const Outcome& outcome, const Band& band);

/// "at least 0.1", "0 to 1, mean of the seeds".
std::string expectationOf(const Band& band);
/// "dead experts of `none` minus that of `aux`".
std::string quantityOf(const Band& band);
int digitsOf(const Band& band);

}  // namespace moe
