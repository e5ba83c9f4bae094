#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/data/corpus.h"
#include "core/train/run_config.h"

namespace moe {

/// Sizes of the models that speed is measured on: decoder-only, layer norm, learned positions, untied head, biased GELU
/// experts, top-2 renormalised softmax, balance term 0.01, AdamW at a constant 3e-4.
struct BenchModel {
  std::string name;
  int width, layers, heads, hidden, context, batch, vocabulary, experts, perToken;
};
const std::vector<BenchModel>& benchModels();

/// The run of a model; dense: its twin of equal active parameters. Throws Error("bench") listing the known names.
RunConfig benchConfig(const std::string& name, bool dense);

/// Uniformly drawn ids below `vocabulary`: nothing can be learned from them, and every expert is asked alike.
std::shared_ptr<const Corpus> randomCorpus(int vocabulary, std::int64_t tokens, std::uint64_t seed);

}  // namespace moe
