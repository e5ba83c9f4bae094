#include <algorithm>

#include "core/backend/backend.h"
#include "core/data/text_files.h"
#include "core/data/tokenizer.h"
#include "core/model/mixture_language_head.h"
#include "core/model/segments.h"
#include "core/train/compute_type.h"
#include "core/train/memory.h"
#include "core/train/run_config.h"

namespace moe {
namespace {

/// What a run takes whatever its size: its points and loads, the store, buffers of files being written. Measured.
constexpr std::int64_t kBookkeeping = 4 << 20;

/// Arrays of the hidden width that forward leaves to backward: what enters the activation, and what leaves it.
std::int64_t hiddenArrays(ExpertKind kind) { return kind == ExpertKind::linear ? 0 : kind == ExpertKind::mlp ? 2 : 3; }

std::int64_t widest(const Recipe& recipe) {
  std::int64_t width = 0;
  for (int e = 0; e < recipe.experts.count; ++e) width = std::max(width, recipe.hiddenOf(e));
  return width;
}

/// Elements one token needs in the experts of a layer, forward and backward. hiddenShare: what an element of the hidden
/// width takes of one.
double expertElements(const Recipe& recipe, std::int64_t width, std::int64_t passTokens, double hiddenShare) {
  const double k = activeExperts(recipe, passTokens);
  double hidden = static_cast<double>(hiddenArrays(recipe.experts.kind)) * k * static_cast<double>(widest(recipe));
  double elements = static_cast<double>(width);  // the branch's output
  if (const auto& shared = recipe.combine.shared)
    hidden += static_cast<double>(hiddenArrays(recipe.experts.kind)) * shared->count * shared->hidden;
  if (const auto& dense = recipe.combine.denseResidual) {
    hidden += static_cast<double>(hiddenArrays(dense->kind)) * dense->hidden;
    elements += 2.0 * static_cast<double>(width);
  }
  return elements + hiddenShare * hidden;
}

/// Elements one token needs while a bank of experts is differentiated, shared by all layers: rows in and out of each
/// assignment, and the gradients of its hidden arrays. A quarter is slack, so that shifting loads do not allocate.
double bankGradients(double assignments, double hidden, ExpertKind kind, double width, double hiddenShare) {
  const double arrays = static_cast<double>(std::max<std::int64_t>(1, hiddenArrays(kind) - 1));
  return 1.25 * assignments * ((1 + 2 * hiddenShare) * width + hiddenShare * arrays * hidden);
}

/// Bytes one token needs in a layer's router: (T, E) tables in the model's type (logits, scores, ranking) and the gradients
/// of two, more of them with noise, and (T, slots) tables of indices and weights.
double routerBytes(const Recipe& recipe, double element) {
  const double noisy = recipe.perturb.noise == Recipe::Perturb::Noise::none ? 0 : 3;
  return recipe.experts.count * (5 + noisy) * element + recipe.slotsPerToken() * 80.0;
}

/// Bytes of a mixture head beside its parameters: a chunk's outputs and what its experts leave to their backward, then
/// for every token the router's tables, its shares and their gradients in f64, and the prediction of an evaluation.
double headBytes(const Recipe& recipe, const ModelConfig& model, double tokens, double element) {
  const double E = recipe.experts.count;
  const double chunk =
      std::min(tokens, static_cast<double>(MixtureLanguageHead::chunkTokens(recipe.experts.count, model.vocabulary)));
  const double saved = static_cast<double>(hiddenArrays(recipe.experts.kind) * widest(recipe));
  return element * chunk * E * (model.vocabulary + saved) +
         tokens * (routerBytes(recipe, element) + 3 * 8 * E + element * model.vocabulary);
}

/// Of loads of one step in the alerts' window, and a step's own.
constexpr double kLayerOfWindow = 96, kStepOfWindow = 96;

/// The loads that alerts look back on, and as much again while a checkpoint holds a copy of them.
double windowBytes(const RunConfig& config) {
  double step = kStepOfWindow;
  for (const LayerConfig& layer : config.model.layers)
    if (layer.hasExperts) step += kLayerOfWindow + sizeof(float) * layer.recipe.experts.count;
  return 2 * step * static_cast<double>(std::min<std::int64_t>(config.alerts.window, config.train.steps));
}

/// While a text is loaded: one of its files beside the words that its tokenizer learns from, then beside the tokens.
std::int64_t loadingBytes(const TextSize& text) {
  constexpr std::int64_t kRemembered = 24 << 20;  // pieces whose tokens are known, at most
  const std::int64_t words = kBytesAWordByte * text.words;
  return text.largest + std::max(words, text.tokens + std::min(kRemembered, words));
}

}  // namespace

std::int64_t predictedMemory(const RunConfig& config, const TextSize& text) {
  const RunFacts::Memory parts = predictedMemoryParts(config, text);
  std::int64_t parameters = 0;
  for (const Segment& segment : modelSegments(config.model)) parameters += segment.shape.elements();
  return std::max(parts.loading, static_cast<std::int64_t>(parts.training(parameters)));
}

RunFacts::Memory predictedMemoryParts(const RunConfig& config, const TextSize& text) {
  const ModelConfig& model = config.model;
  const DType type = chosenComputeType(config);
  const double element = type == DType::f64 ? 8 : 4, hiddenShare = type == DType::bf16 ? 0.5 : 1;
  const double tokens = static_cast<double>(config.train.batch) * model.context, width = model.width;
  const auto head = headRecipe(model);
  // Stream, norm and head with their gradients.
  double perToken = element * (5 * width + (head ? 0 : 2.0 * model.vocabulary));
  double largestBranch = 0;  // shared by all layers: gradients, and with recomputation what they are computed from
  for (const LayerConfig& layer : model.layers) {
    const AttentionConfig& attention = layer.attention;
    const double mixed = static_cast<double>(attention.heads) * attention.headWidth;
    const double qkv = static_cast<double>(attention.heads + 2 * attention.kvHeads) * attention.headWidth;
    const double dense = static_cast<double>(hiddenArrays(layer.dense.kind)) * layer.dense.hidden;
    const double hidden = layer.hasExperts
                              ? expertElements(layer.recipe, model.width, tokensOfPass(config), hiddenShare)
                              : hiddenShare * dense;
    const double kept = element * (3 * width + qkv + mixed + attention.heads + 4 + hidden);
    perToken += element * width;  // what enters it
    if (layer.hasExperts) perToken += routerBytes(layer.recipe, element);
    if (!config.train.recompute) perToken += kept;
    const double bank = layer.hasExperts ? bankGradients(activeExperts(layer.recipe, tokensOfPass(config)),
                                                         static_cast<double>(widest(layer.recipe)),
                                                         layer.recipe.experts.kind, width, hiddenShare)
                                         : bankGradients(1, layer.dense.hidden, layer.dense.kind, width, hiddenShare);
    const double gradients = element * (2 * width + qkv + mixed + bank);
    largestBranch = std::max(largestBranch, gradients + (config.train.recompute ? kept : 0));
  }
  // Values, gradients and two moments, all but the gradients once more for the checkpoint that is being written; bf16
  // keeps a copy of every matrix to multiply with.
  const double perParameter = 7 * element + (type == DType::bf16 ? 2 : 0);
  const double mixture = head ? headBytes(*head, model, tokens, element) : 0;
  return {.parameterBytes = perParameter,
          .tokenBytes = perToken + largestBranch,
          .tokens = std::int64_t{config.train.batch} * model.context,
          .text = text.tokens,
          .other = kProgramMemory + kBookkeeping + codeBytes(config.backend, type) +
                   static_cast<std::int64_t>(mixture + windowBytes(config)),
          .loading = kProgramMemory + loadingBytes(text)};
}

}  // namespace moe
