#include <nlohmann/json.hpp>

#include "core/router/recipe_json.h"
#include "core/router/recipe_names.h"

namespace moe {
namespace {

using nlohmann::json;

/// Sets `key` where the value differs from the default.
template <class V>
void put(json& out, const char* key, const V& value, const V& standard) {
  if (!(value == standard)) out[key] = value;
}
template <class V>
void put(json& out, const char* key, const std::optional<V>& value) {
  if (value) out[key] = *value;
}
template <class E, std::size_t N>
void put(json& out, const char* key, E value, E standard, const Word<E> (&table)[N]) {
  if (value != standard) out[key] = nameIn(table, value);
}
void putObject(json& out, const char* key, json object) {
  if (!object.empty()) out[key] = std::move(object);
}

json write(const Recipe::Experts& in) {
  const Recipe::Experts standard;
  json out = {{"count", in.count}, {"kind", nameIn(kExpertKinds, in.kind)}};
  put(out, "activation", in.activation, standard.activation, kActivations);
  if (in.hidden.size() == 1)
    out["hidden"] = in.hidden[0];
  else if (!in.hidden.empty())
    out["hidden"] = in.hidden;
  put(out, "bias", in.bias, standard.bias);
  put(out, "output_width", in.outputWidth, standard.outputWidth);
  put(out, "alpha", in.alpha, standard.alpha);
  put(out, "limit", in.limit, standard.limit);
  json init = json::object();
  put(init, "kind", in.init, standard.init, kInits);
  put(init, "noise", in.initNoise, standard.initNoise);
  putObject(out, "init", std::move(init));
  return out;
}

json write(const Recipe::Perturb& in) {
  const Recipe::Perturb standard;
  json out = json::object(), noise = json::object(), anneal = json::object();
  put(out, "input_jitter", in.inputJitter, standard.inputJitter);
  put(noise, "kind", in.noise, standard.noise, kNoises);
  put(noise, "sigma", in.sigma, standard.sigma);
  put(noise, "epsilon", in.noiseEpsilon, standard.noiseEpsilon);
  put(noise, "applies_to", in.noiseAppliesTo, standard.noiseAppliesTo, kNoiseReach);
  putObject(out, "noise", std::move(noise));
  put(anneal, "kind", in.anneal, standard.anneal, kAnneals);
  put(anneal, "fraction", in.annealFraction, standard.annealFraction);
  putObject(out, "anneal", std::move(anneal));
  put(out, "whole_expert_dropout", in.wholeExpertDropout, standard.wholeExpertDropout);
  return out;
}

json write(const Recipe::Adjust& in) {
  json out = json::object();
  put(out, "rank_by", in.rankBy, Recipe::Adjust::RankBy::scores, kRankings);
  // A part that is on is written whole: an empty object would read as on, but say nothing.
  if (const auto& bias = in.selectionBias)
    out["selection_bias"] = {{"rate", bias->rate}, {"update", nameIn(kUpdates, bias->update)}};
  if (const auto& groups = in.expertGroups)
    out["expert_groups"] = {{"count", groups->count}, {"keep", groups->keep}, {"by", nameIn(kGroupScores, groups->by)}};
  return out;
}

json write(const Recipe::Select& in) {
  const Recipe::Select standard;
  json out = json::object();
  put(out, "kind", in.kind, standard.kind, kSelects);
  put(out, "k", in.k, standard.k);
  put(out, "p", in.p, standard.p);
  put(out, "generation", in.generation, standard.generation, kGenerations);
  if (const auto& second = in.randomSecond)
    out["random_second"] = {{"scale", second->scale}, {"skipped_takes_slot", second->skippedTakesSlot}};
  if (const auto& force = in.force)
    out["force"] = {{"experts", force->experts}, {"fraction", force->fraction}, {"steps", force->steps}};
  return out;
}

json write(const Recipe::Weigh& in) {
  const Recipe::Weigh standard;
  json out = json::object();
  put(out, "kind", in.kind, standard.kind, kWeighs);
  put(out, "epsilon", in.epsilon, standard.epsilon);
  put(out, "scale", in.scale, standard.scale);
  put(out, "applies_to", in.appliesTo, standard.appliesTo, kWeighReach);
  return out;
}

json write(const Recipe::Capacity& in) {
  const Recipe::Capacity standard;
  json out = json::object();
  put(out, "slots", in.slots);
  put(out, "factor", in.factor);
  put(out, "eval_factor", in.evalFactor);
  put(out, "counts_k", in.countsK, standard.countsK);
  put(out, "rounding", in.rounding, standard.rounding, kRoundings);
  put(out, "minimum", in.minimum, standard.minimum);
  put(out, "token_groups", in.tokenGroups, standard.tokenGroups);
  put(out, "order", in.order, standard.order, kOrders);
  put(out, "overflow", in.overflow, standard.overflow, kOverflows);
  put(out, "tries", in.tries, standard.tries);
  put(out, "renormalise_after_drop", in.renormaliseAfterDrop, standard.renormaliseAfterDrop);
  return out;
}

json write(const Recipe::Combine& in) {
  json out = json::object();
  if (const auto& shared = in.shared)
    out["shared"] = {
        {"count", shared->count}, {"hidden", shared->hidden}, {"token_gate", shared->tokenGate ? "sigmoid" : "none"}};
  if (const auto& dense = in.denseResidual)
    out["dense_residual"] = {{"kind", nameIn(kExpertKinds, dense->kind)},
                             {"activation", nameIn(kActivations, dense->activation)},
                             {"hidden", dense->hidden},
                             {"bias", dense->bias}};
  put(out, "expert_dropout", in.expertDropout, 0.0);
  return out;
}

json write(const Recipe::Head& in) {
  const Recipe::Head standard;
  json out = json::object();
  put(out, "kind", in.kind, standard.kind, kHeads);
  put(out, "density", in.density, standard.density, kDensities);
  for (const Recipe::Head::Loss& loss : in.losses)
    out["losses"].push_back(
        {{"name", loss.name}, {"form", nameIn(kForms, loss.form)}, {"coefficient", loss.coefficient}});
  return out;
}

json write(const Recipe::BalanceTerm& in) {
  const Recipe::BalanceTerm standard;
  json out = {{"name", in.name}, {"kind", nameIn(kTerms, in.kind)}};
  put(out, "coefficient", in.coefficient, standard.coefficient);
  put(out, "normalisation", in.normalisation, standard.normalisation, kNormalisations);
  put(out, "counts", in.counts, standard.counts, kCounts);
  put(out, "counts_from", in.countsFrom, standard.countsFrom, kCountSources);
  put(out, "scope", in.scope, standard.scope, kScopes);
  put(out, "layers", in.layers, standard.layers, kLayers);
  put(out, "devices", in.devices, standard.devices);
  put(out, "max_devices", in.maxDevices, standard.maxDevices);
  put(out, "epsilon", in.epsilon, standard.epsilon);
  return out;
}

}  // namespace

json toJson(const Recipe& recipe) {
  const Recipe standard;
  json out = {{"experts", write(recipe.experts)}}, logits = json::object(), score = json::object(),
       block = json::object();
  put(logits, "kind", recipe.logits.kind, standard.logits.kind, kLogits);
  put(logits, "bias", recipe.logits.bias, standard.logits.bias);
  putObject(out, "logits", std::move(logits));
  putObject(out, "perturb", write(recipe.perturb));
  put(score, "kind", recipe.score, standard.score, kScores);
  putObject(out, "score", std::move(score));
  putObject(out, "adjust", write(recipe.adjust));
  putObject(out, "select", write(recipe.select));
  putObject(out, "weigh", write(recipe.weigh));
  putObject(out, "capacity", write(recipe.capacity));
  putObject(out, "combine", write(recipe.combine));
  put(block, "moe_reads", recipe.block.moeReads, standard.block.moeReads, kMoeReads);
  put(block, "norm_epsilon", recipe.block.normEpsilon);
  putObject(out, "block", std::move(block));
  putObject(out, "head", write(recipe.head));
  for (const Recipe::BalanceTerm& term : recipe.balance) out["balance"].push_back(write(term));
  return out;
}

}  // namespace moe
