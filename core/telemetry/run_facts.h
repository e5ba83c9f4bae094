#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moe {

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

}  // namespace moe
