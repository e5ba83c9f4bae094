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
  std::string lacks;                            // what the machine had not, so that there are no results; empty: tried
  /// A measure of an arm, one a seed; empty where that model has no such value.
  std::vector<double> values(const std::string& arm, const std::string& measure) const;
};

/// How one band came out.
struct Verdict {
  std::vector<double> values;  // what it bounds, one a seed
  double seedsApart = 0;       // of the arm whose seeds bound it, where one does: greatest minus least
  bool holds = false;
};
/// Throws Error("experiment") where a band asks for a measure that its arm does not have.
Verdict judge(const Outcome& outcome, const Band& band);

/// "at least 0.1", "0 to 1, mean of the seeds".
std::string expectationOf(const Band& band);
/// "dead experts of `none` minus that of `aux`".
std::string quantityOf(const Band& band);
/// "0.12 (0.10 to 0.14)", with how far the seeds that bound it are apart.
std::string measuredText(const Verdict& verdict, const Band& band);

}  // namespace moe
