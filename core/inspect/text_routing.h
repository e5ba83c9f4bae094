#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "core/data/tokenizer.h"
#include "core/model/model.h"
#include "core/telemetry/snapshot.h"

namespace moe {

/// Routes `text` through the model in the generation phase (no draws, capacity off). Texts longer than the context are
/// cut to their last `context` tokens. Empty text, or a recipe that cannot generate, sets `problem`. run, step and
/// request are left to the caller. Uses the backend's thread.
TextRouting routeText(Model& model, const Tokenizer& tokenizer, const std::string& text);

struct GenerateSettings {
  int tokens = 64;
  double temperature = 0.8;  // 0: the most likely token
  std::uint64_t seed = 0;
};

/// Continues a prompt token by token with a key-value cache. `advance` makes one token and returns whether more follow,
/// so that a caller may train or redraw in between; `result()` then holds the prompt's and all new tokens' routing.
class Generation {
 public:
  Generation(Model& model, const Tokenizer& tokenizer, const std::string& prompt, GenerateSettings settings);
  ~Generation();
  bool advance();
  const TextRouting& result() const;
  std::string text() const;  // prompt and continuation so far

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moe
