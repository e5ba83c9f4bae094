#include <algorithm>

#include "ui/models/run_settings.h"

namespace moe::ui {

namespace {

/// `path` means something only while `on` has one of `values` (JSON text).
struct Condition {
  std::string_view path, on;
  std::vector<std::string_view> values;
};

const std::vector<Condition>& conditions() {
  static const std::vector<Condition> kAll{
      {"perturb.noise.sigma", "perturb.noise.kind", {"\"gaussian\""}},
      {"perturb.noise.epsilon", "perturb.noise.kind", {"\"learned\""}},
      {"perturb.noise.applies_to", "perturb.noise.kind", {"\"gaussian\"", "\"learned\""}},
      {"perturb.anneal.fraction", "perturb.anneal.kind", {"\"linear\"", "\"cosine\""}},
      {"select.k", "select.kind", {"\"top_k\""}},
      {"select.p", "select.kind", {"\"top_p\""}},
      {"select.generation", "select.kind", {"\"expert_choice\""}},
      {"weigh.epsilon", "weigh.kind", {"\"renormalised\""}},
      {"capacity.tries", "capacity.overflow", {"\"no_token_left_behind\""}},
      {"experts.activation", "experts.kind", {"\"mlp\"", "\"glu\""}},
      {"experts.alpha", "experts.kind", {"\"clamped_glu\""}},
      {"experts.limit", "experts.kind", {"\"clamped_glu\""}},
      {"experts.init.noise", "experts.init.kind", {"\"dense_copy\"", "\"dense_slice\""}},
      {"model.rope_theta", "model.positions", {"\"rope\""}},
      {"train.final_share", "train.schedule", {"\"cosine\""}},
      {"data.vocabulary", "data.tokenizer", {"\"bpe\""}},
      {"data.corpus_seed", "data.source", {"\"builtin:domains\""}},
      {"normalisation", "kind", {"\"load\"", "\"device\"", "\"communication\""}},
      {"counts", "kind", {"\"load\"", "\"device\"", "\"communication\""}},
      {"counts_from", "kind", {"\"load\"", "\"device\"", "\"communication\""}},
      {"scope", "kind", {"\"load\"", "\"device\"", "\"communication\""}},
      {"layers", "kind", {"\"load\"", "\"device\"", "\"communication\""}},
      {"devices", "kind", {"\"device\"", "\"communication\""}},
      {"max_devices", "kind", {"\"communication\""}},
      {"epsilon", "kind", {"\"importance_cv2\"", "\"load_cv2\""}},
  };
  return kAll;
}

}  // namespace

bool matters(const std::function<std::string(const std::string&)>& value, const std::string& path) {
  const std::size_t cut =
      path.starts_with("balance.") ? path.find('.', 8) + 1 : 0;  // conditions name a term's keys alone
  const std::string term = path.substr(0, cut), key = path.substr(cut);
  if (path.starts_with("capacity.") && path != "capacity.factor" && path != "capacity.slots" &&
      value("capacity.factor") == "null" && value("capacity.slots") == "null")
    return false;
  return std::all_of(conditions().begin(), conditions().end(), [&](const Condition& condition) {
    if (condition.path != key || (cut == 0) != (condition.on != "kind")) return true;
    const std::string other = value(term + std::string(condition.on));
    return std::find(condition.values.begin(), condition.values.end(), other) != condition.values.end();
  });
}

}  // namespace moe::ui
