#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json_object.h"
#include "core/router/recipe_json.h"
#include "core/router/recipe_names.h"

namespace moe {
namespace {

template <class E, std::size_t N>
void readWord(JsonObject& in, const char* key, E& out, const Word<E> (&table)[N]) {
  in.read(key, out, Words<E>(table));
}

/// A key with one value only: said aloud in files, nothing to keep.
void readOnly(JsonObject& in, const char* key, std::string_view value) {
  int one = 0;
  const Word<int> table[] = {{value, 0}};
  readWord(in, key, one, table);
}

JsonObject objectAt(const JsonObject& in, const char* key, const nlohmann::json& json) {
  return {json, "recipe", in.pathOf(key)};
}

/// Reads the object under `key`, if it is there, with `body(JsonObject&)`.
template <class Body>
void within(JsonObject& in, const char* key, Body&& body) {
  const nlohmann::json* json = in.take(key);
  if (!json) return;
  JsonObject object = objectAt(in, key, *json);
  body(object);
  object.finish();
}

/// The same for a part that is absent by default; null switches it off.
template <class V, class Body>
void optionally(JsonObject& in, const char* key, std::optional<V>& out, Body&& body) {
  const nlohmann::json* json = in.take(key);
  if (!json || json->is_null()) return;
  JsonObject object = objectAt(in, key, *json);
  body(object, out.emplace());
  object.finish();
}

/// A number that may be absent.
template <class V>
void optionally(JsonObject& in, const char* key, std::optional<V>& out) {
  if (in.has(key)) {
    V value{};
    in.read(key, value);
    out = value;
  }
}

template <class Body>
void forEachElement(JsonObject& in, const char* key, Body&& body) {
  const nlohmann::json* list = in.take(key);
  if (!list) return;
  if (!list->is_array()) in.refuse(key, "a list");
  for (std::size_t i = 0; i < list->size(); ++i) {
    JsonObject element((*list)[i], "recipe", in.pathOf(key) + "." + std::to_string(i));
    body(element);
    element.finish();
  }
}

void require(const JsonObject& in, const char* key, const std::string& expected) {
  if (!in.has(key)) throw Error("recipe", in.pathOf(key) + ": expected " + expected + ", found nothing");
}

/// One size for all experts, or a list of E.
void readHidden(JsonObject& in, std::vector<int>& out) {
  const nlohmann::json* json = in.take("hidden");
  if (!json) return;
  out.clear();
  const nlohmann::json list = json->is_array() ? *json : nlohmann::json::array({*json});
  for (const nlohmann::json& size : list) {
    if (!size.is_number_integer() || size < 0 || size > std::numeric_limits<int>::max())
      in.refuse("hidden", "an integer or a list of integers");
    out.push_back(size.get<int>());
  }
}

void readExperts(JsonObject& in, Recipe::Experts& out) {
  in.read("count", out.count);
  readWord(in, "kind", out.kind, kExpertKinds);
  readWord(in, "activation", out.activation, kActivations);
  readHidden(in, out.hidden);
  in.read("bias", out.bias);
  in.read("output_width", out.outputWidth);
  in.read("alpha", out.alpha);
  in.read("limit", out.limit);
  within(in, "init", [&](JsonObject& init) {
    readWord(init, "kind", out.init, kInits);
    init.read("noise", out.initNoise);
  });
}

void readPerturb(JsonObject& in, Recipe::Perturb& out) {
  in.read("input_jitter", out.inputJitter);
  within(in, "noise", [&](JsonObject& noise) {
    readWord(noise, "kind", out.noise, kNoises);
    noise.read("sigma", out.sigma);
    noise.read("epsilon", out.noiseEpsilon);
    readWord(noise, "applies_to", out.noiseAppliesTo, kNoiseReach);
  });
  within(in, "anneal", [&](JsonObject& anneal) {
    readWord(anneal, "kind", out.anneal, kAnneals);
    anneal.read("fraction", out.annealFraction);
  });
  in.read("whole_expert_dropout", out.wholeExpertDropout);
}

void readAdjust(JsonObject& in, Recipe::Adjust& out) {
  readWord(in, "rank_by", out.rankBy, kRankings);
  optionally(in, "selection_bias", out.selectionBias, [](JsonObject& bias, Recipe::Adjust::SelectionBias& value) {
    bias.read("rate", value.rate);
    readWord(bias, "update", value.update, kUpdates);
  });
  optionally(in, "expert_groups", out.expertGroups, [](JsonObject& groups, Recipe::Adjust::ExpertGroups& value) {
    groups.read("count", value.count);
    groups.read("keep", value.keep);
    readWord(groups, "by", value.by, kGroupScores);
  });
}

void readSelect(JsonObject& in, Recipe::Select& out) {
  readWord(in, "kind", out.kind, kSelects);
  in.read("k", out.k);
  in.read("p", out.p);
  readWord(in, "generation", out.generation, kGenerations);
  optionally(in, "random_second", out.randomSecond, [](JsonObject& second, Recipe::Select::RandomSecond& value) {
    second.read("scale", value.scale);
    second.read("skipped_takes_slot", value.skippedTakesSlot);
  });
  optionally(in, "force", out.force, [](JsonObject& force, Recipe::Select::Force& value) {
    force.read("experts", value.experts);
    force.read("fraction", value.fraction);
    force.read("steps", value.steps);
    readOnly(force, "slot", "last");
  });
}

void readCapacity(JsonObject& in, Recipe::Capacity& out) {
  optionally(in, "slots", out.slots);
  optionally(in, "factor", out.factor);
  optionally(in, "eval_factor", out.evalFactor);
  in.read("counts_k", out.countsK);
  readWord(in, "rounding", out.rounding, kRoundings);
  in.read("minimum", out.minimum);
  in.read("token_groups", out.tokenGroups);
  readWord(in, "order", out.order, kOrders);
  readWord(in, "overflow", out.overflow, kOverflows);
  in.read("tries", out.tries);
  in.read("renormalise_after_drop", out.renormaliseAfterDrop);
}

void readCombine(JsonObject& in, Recipe::Combine& out) {
  constexpr Word<bool> kTokenGates[] = {{"none", false}, {"sigmoid", true}};
  optionally(in, "shared", out.shared, [&](JsonObject& shared, Recipe::Combine::Shared& value) {
    shared.read("count", value.count);
    shared.read("hidden", value.hidden);
    readWord(shared, "token_gate", value.tokenGate, kTokenGates);
  });
  optionally(in, "dense_residual", out.denseResidual, [](JsonObject& dense, Recipe::Combine::DenseResidual& value) {
    readWord(dense, "kind", value.kind, kExpertKinds);
    readWord(dense, "activation", value.activation, kActivations);
    dense.read("hidden", value.hidden);
    dense.read("bias", value.bias);
  });
  in.read("expert_dropout", out.expertDropout);
}

Recipe::Head::Loss readLoss(JsonObject& in) {
  Recipe::Head::Loss out;
  require(in, "form", "likelihood, competitive or cooperative");
  readWord(in, "form", out.form, kForms);
  out.name = nameIn(kForms, out.form);
  in.read("name", out.name);
  in.read("coefficient", out.coefficient);
  return out;
}

Recipe::BalanceTerm readTerm(JsonObject& in) {
  Recipe::BalanceTerm out;
  require(in, "kind", "the kind of the term (load, z ...)");
  readWord(in, "kind", out.kind, kTerms);
  out.name = nameIn(kTerms, out.kind);
  in.read("name", out.name);
  in.read("coefficient", out.coefficient);
  readWord(in, "normalisation", out.normalisation, kNormalisations);
  readWord(in, "counts", out.counts, kCounts);
  readWord(in, "counts_from", out.countsFrom, kCountSources);
  readWord(in, "scope", out.scope, kScopes);
  readWord(in, "layers", out.layers, kLayers);
  in.read("devices", out.devices);
  in.read("max_devices", out.maxDevices);
  in.read("epsilon", out.epsilon);
  return out;
}

}  // namespace

Recipe recipeFromJson(const nlohmann::json& json, const std::string& path) {
  Recipe out;
  JsonObject in(json, "recipe", path);
  require(in, "experts", "an object with count");
  within(in, "experts", [&](JsonObject& experts) {
    require(experts, "count", "the number of experts");
    readExperts(experts, out.experts);
  });
  within(in, "logits", [&](JsonObject& logits) {
    readWord(logits, "kind", out.logits.kind, kLogits);
    logits.read("bias", out.logits.bias);
  });
  within(in, "perturb", [&](JsonObject& perturb) { readPerturb(perturb, out.perturb); });
  within(in, "score", [&](JsonObject& score) { readWord(score, "kind", out.score, kScores); });
  within(in, "adjust", [&](JsonObject& adjust) { readAdjust(adjust, out.adjust); });
  within(in, "select", [&](JsonObject& select) { readSelect(select, out.select); });
  within(in, "weigh", [&](JsonObject& weigh) {
    readWord(weigh, "kind", out.weigh.kind, kWeighs);
    weigh.read("epsilon", out.weigh.epsilon);
    weigh.read("scale", out.weigh.scale);
    readWord(weigh, "applies_to", out.weigh.appliesTo, kWeighReach);
  });
  within(in, "capacity", [&](JsonObject& capacity) { readCapacity(capacity, out.capacity); });
  within(in, "combine", [&](JsonObject& combine) { readCombine(combine, out.combine); });
  within(in, "block", [&](JsonObject& block) {
    readWord(block, "moe_reads", out.block.moeReads, kMoeReads);
    readOnly(block, "norm", "rms");
    optionally(block, "norm_epsilon", out.block.normEpsilon);
  });
  within(in, "head", [&](JsonObject& head) {
    readWord(head, "kind", out.head.kind, kHeads);
    readWord(head, "density", out.head.density, kDensities);
    forEachElement(head, "losses", [&](JsonObject& loss) { out.head.losses.push_back(readLoss(loss)); });
  });
  forEachElement(in, "balance", [&](JsonObject& term) { out.balance.push_back(readTerm(term)); });
  in.finish();
  return out;
}

}  // namespace moe
