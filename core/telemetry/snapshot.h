#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/telemetry/points.h"

namespace moe {

/// Routing of one token in one expert layer, as the inspector shows it.
struct TokenLayerRouting {
  int layer = 0;
  std::vector<int> experts;          // asked, in selection order
  std::vector<float> weights;        // their combine weights; 0 where dropped
  std::vector<float> probabilities;  // (E) scores; sigmoid scores as they are
  std::vector<float> logits;         // (E) what the scores are made of
  std::vector<float> ranking;        // (E) what experts are chosen by; -inf outside the kept groups
  float margin = 0;                  // smallest selected - largest unselected ranking value
  bool dropped = false;              // no assignment admitted
};

struct TokenRouting {
  std::string text;  // bytes of the token, valid UTF-8 ("\xEF\xBF\xBD" where a byte is not)
  int id = 0;
  double loss = 0;           // nats of this token given those before it; NaN for the first
  std::optional<int> given;  // tokens before it that the model still held, where its context had run over; else all
  bool generated = false;
  std::vector<TokenLayerRouting> layers;
};

/// Routing of a given text by the model of (run, step).
struct TextRouting {
  RunId run = 0;
  std::int64_t step = 0;
  std::uint64_t request = 0;  // number of the Probe or Generate command it answers
  bool complete = true;       // false: generation goes on
  std::string text;           // the prompt
  std::vector<TokenRouting> tokens;
  std::int64_t leftOut = 0;  // tokens of the text before these, beyond the model's context
  std::string problem;       // a sentence where the text could not be routed
};

}  // namespace moe
