#include <algorithm>
#include <cmath>

#include "core/config/rows.h"
#include "core/model/config.h"
#include "core/model/model_rows.h"

namespace moe {
namespace {

class List {
 public:
  void require(bool holds, const std::string& path, const std::string& sentence) {
    const bool known = std::any_of(problems_.begin(), problems_.end(), [&](const Problem& problem) {
      return problem.path == path && problem.sentence == sentence;
    });
    if (!holds && !known) problems_.push_back({path, sentence});
  }
  void add(const std::vector<Problem>& problems) {
    for (const Problem& problem : problems) require(false, problem.path, problem.sentence);
  }
  std::vector<Problem> take() { return std::move(problems_); }

 private:
  std::vector<Problem> problems_;
};

void checkAttention(List& list, const LayerConfig& layer, Positions positions) {
  static const SettingRows<LayerConfig> rows({attentionRows()});
  list.add(rows.outOfRange(layer, "model"));
  const AttentionConfig& attention = layer.attention;
  list.require(attention.heads % std::max(1, attention.kvHeads) == 0, "model.kv_heads",
               "The number of key heads must divide the number of query heads.");
  list.require(positions != Positions::rope || attention.headWidth % 2 == 0, "model.head_width",
               "Rotary positions turn pairs of entries: the head width must be even.");
}

void checkRecipe(List& list, const Recipe& recipe, const ModelConfig& config, bool routerLearns) {
  list.add(problems(recipe, routerLearns));
  list.require(recipe.experts.outputWidth == 0 || recipe.experts.outputWidth == config.width, "experts.output_width",
               "Inside a block the experts' output joins the residual, so its width is the model's (" +
                   std::to_string(config.width) + ").");
}

/// The mixture as the head: every expert predicts the token, and p weighs whole predictions.
void checkHead(List& list, const Recipe& recipe, const ModelConfig& config) {
  list.add(problems(recipe));
  list.require(recipe.head.density == Recipe::Head::Density::categorical, "head.density",
               "A language model predicts which token comes next: its density is categorical.");
  list.require(std::ranges::any_of(recipe.head.losses, [](const auto& loss) { return loss.coefficient > 0; }),
               "head.losses",
               "A mixture head is trained on its own loss: give one of its forms a coefficient above 0.");
  list.require(recipe.select.kind == Recipe::Select::Kind::all, "select.kind",
               "A mixture head asks every expert: select all.");
  list.require(recipe.score == Recipe::Score::softmax, "score.kind",
               "The shares of a mixture are probabilities: score by softmax.");
  list.require(recipe.weigh.kind == Recipe::Weigh::Kind::score && recipe.weigh.scale == 1 &&
                   recipe.weigh.appliesTo == Recipe::Weigh::AppliesTo::output,
               "weigh.kind",
               "The shares of a mixture are the scores as they are: weigh by score, scale 1, on the output.");
  list.require(recipe.capacity.dropless(), "capacity.factor",
               "A mixture head has no room to run out of: every expert predicts every token.");
  const Recipe::Combine& combine = recipe.combine;
  list.require(!combine.shared && !combine.denseResidual && combine.expertDropout == 0, "combine.shared",
               "A mixture head weighs whole predictions: nothing is added beside its experts or dropped inside them.");
  list.require(!config.tiedHead, "model.tied_head",
               "A mixture head has an output matrix an expert, so none of them can be the embedding.");
  const bool inBlocks = std::ranges::any_of(config.layers, [](const LayerConfig& layer) { return layer.hasExperts; });
  list.require(inBlocks || recipe.experts.outputWidth == 0 || recipe.experts.outputWidth == config.vocabulary,
               "experts.output_width",
               "The head's experts give one number a token of the vocabulary (" + std::to_string(config.vocabulary) +
                   "); leave the width out.");
}

void checkSlices(List& list, const LayerConfig& layer) {
  const Recipe::Experts& experts = layer.recipe.experts;
  const bool listed = experts.hidden.size() > 1 && static_cast<int>(experts.hidden.size()) != experts.count;
  if (experts.init != Recipe::Experts::Init::denseSlice || listed) return;
  std::int64_t together = 0;
  for (int e = 0; e < experts.count; ++e) together += layer.recipe.hiddenOf(e);
  list.require(together <= layer.dense.hidden, "experts.init.kind",
               "The experts' slices take " + std::to_string(together) +
                   " hidden units together; the dense network they are cut from has " +
                   std::to_string(layer.dense.hidden) + " (model.dense.hidden).");
}

/// Terms that join the layers see one number of experts.
void checkJoinedTerms(List& list, const ModelConfig& config) {
  int experts = 0;
  bool same = true, joined = false;
  for (const LayerConfig& layer : config.layers) {
    if (!layer.hasExperts) continue;
    same = same && (experts == 0 || experts == layer.recipe.experts.count);
    experts = layer.recipe.experts.count;
    for (const Recipe::BalanceTerm& term : layer.recipe.balance)
      joined |= term.layers == Recipe::BalanceTerm::Layers::concatenated ||
                term.scope == Recipe::BalanceTerm::Scope::globalBatch;
  }
  list.require(
      same || !joined, "balance",
      "A balance term over all layers concatenated, or over the global batch, needs as many experts in each layer.");
}

}  // namespace

std::vector<Problem> problems(const ModelConfig& config, bool routerLearns) {
  List list;
  static const SettingRows<ModelConfig> rows({modelRows()});
  list.add(rows.outOfRange(config));
  list.require(!config.layers.empty(), "model.layers", "A model needs at least one layer.");
  for (const LayerConfig& layer : config.layers) {
    checkAttention(list, layer, config.positions);
    if (layer.hasExperts) {
      checkRecipe(list, layer.recipe, config, routerLearns);
      checkSlices(list, layer);
    } else {
      list.require(layer.dense.kind == ExpertKind::mlp || layer.dense.kind == ExpertKind::glu, "model.dense.kind",
                   "A dense layer is mlp or glu.");
    }
  }
  checkJoinedTerms(list, config);
  if (headRecipe(config)) checkHead(list, config.layers.front().recipe, config);
  return list.take();
}

}  // namespace moe
