#include "core/train/layer_statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/router/pipeline.h"
#include "core/telemetry/health.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

/// Raw logits (T, E) as probabilities but for a factor a row, which the sums divide out.
template <class S>
std::vector<double> expOfRows(std::span<const S> logits, std::int64_t experts) {
  std::vector<double> out(logits.begin(), logits.end());
  for (std::size_t begin = 0; begin < out.size(); begin += static_cast<std::size_t>(experts)) {
    const auto row = std::span(out).subspan(begin, static_cast<std::size_t>(experts));
    const double largest = std::ranges::max(row);
    for (double& value : row) value = std::exp(value - largest);
  }
  return out;
}

}  // namespace

void LayerStatistics::clear() {
  micro_ = dropped_ = tokens_ = 0;
  admitted_.clear();
  counts_.clear();
  router_ = {};
  margins_ = {};
  weights_.clear();
  asked_.clear();
  final_.clear();
  plain_.clear();
  balance_.clear();
}

void LayerStatistics::add(const Routing& routing, const Recipe& recipe, bool measuring) {
  experts_ = routing.experts;
  slots_ = routing.slots;
  counts_.resize(routing.load.size());
  for (std::size_t e = 0; e < counts_.size(); ++e) counts_[e] += routing.load[e];
  tokens_ += routing.tokens;
  const Dispatch& dispatch = routing.dispatch;
  admitted_.resize(dispatch.admittedEnd.size());
  for (std::size_t e = 0; e < admitted_.size(); ++e) admitted_[e] += dispatch.admittedEnd[e] - dispatch.expertBegin[e];
  if (recipe.select.kind == Recipe::Select::Kind::all) addWeights(routing.askedWeight);
  dropped_ += routing.dropped;
  ++micro_;
  if (!measuring) return;
  // Neither where the recipe has no router.
  withScalar(routing.dtype, [&]<class S>() {
    if (routing.scores.empty()) return;
    const std::span<const S> scores = routing.scores.span<S>();
    if (recipe.score != Recipe::Score::identity)
      addScores<S>(router_, scores, experts_);
    else
      addScores<double>(router_, expOfRows(scores, experts_), experts_);
    addMargins<S>(margins_, routing.ranking.span<S>(), experts_, routing.asked, slots_);
  });
  asked_.insert(asked_.end(), routing.asked.begin(), routing.asked.end());
  final_.insert(final_.end(), routing.final.begin(), routing.final.end());
  balance_.resize(routing.balance.size());
  for (std::size_t i = 0; i < balance_.size(); ++i) balance_[i] += routing.balance[i].value;
  if (recipe.adjust.selectionBias) addUnbiased(routing, recipe);
}

void LayerStatistics::addWeights(const Tensor& weights) {
  weights_.resize(static_cast<std::size_t>(experts_));
  withScalar(weights.dtype(), [&]<class S>() {
    for (std::int64_t i = 0; i < weights.elements(); ++i)  // (T, E): with every expert asked, a slot is an expert
      weights_[static_cast<std::size_t>(i % experts_)] += static_cast<double>(weights.as<S>()[i]);
  });
}

void LayerStatistics::addUnbiased(const Routing& routing, const Recipe& recipe) {
  Recipe plain;
  plain.experts = recipe.experts;
  plain.score = recipe.score;
  plain.adjust = recipe.adjust;
  plain.adjust.selectionBias.reset();
  plain.select.kind = recipe.select.kind;
  plain.select.k = recipe.select.k;
  plain.weigh.kind = Recipe::Weigh::Kind::score;
  RoutingInput input;
  input.givenLogits = routing.noisyLogits.empty() ? routing.logits.view() : routing.noisyLogits.view();
  routeForward(unbiased_, plain, input);
  plain_.insert(plain_.end(), unbiased_.asked.begin(), unbiased_.asked.end());
}

std::vector<double> LayerStatistics::admittedPerToken() const {
  std::vector<double> mean;
  for (const std::int64_t count : admitted_) mean.push_back(static_cast<double>(count) / static_cast<double>(tokens_));
  return mean;
}

LayerPoint LayerStatistics::point(int layer) const {
  LayerPoint point;
  point.layer = layer;
  const bool weighed = !weights_.empty();
  const LoadHealth load = weighed ? loadHealth(weights_) : loadHealth(counts_);
  const double weight = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  for (double sum : weights_) point.load.push_back(static_cast<float>(weight > 0 ? sum / weight : 0));
  if (!weighed)
    for (double share : loadFraction(counts_)) point.load.push_back(static_cast<float>(share));
  point.maxVio = static_cast<float>(load.maxVio);
  point.cv2 = static_cast<float>(load.cv2);
  point.loadEntropy = static_cast<float>(load.entropy);
  point.unused = static_cast<float>(load.unused);
  std::int64_t asked = 0;
  for (std::int64_t count : counts_) asked += count;
  point.assignments = weighed ? weight : static_cast<double>(asked);
  const DropHealth drops = dropHealth(final_, slots_, asked, dropped_);
  point.dropRate = static_cast<float>(drops.dropRate);
  point.tokenDropRate = static_cast<float>(drops.tokenDropRate);
  const RouterHealth router = routerHealth(router_);
  point.routerEntropy = static_cast<float>(router.entropy);
  point.meanProbEntropy = static_cast<float>(router.meanProbEntropy);
  point.importanceCv2 = static_cast<float>(router.importanceCv2);
  point.margin = static_cast<float>(margins_.mean());
  if (!plain_.empty()) point.biasJaccard = static_cast<float>(meanJaccard(asked_, slots_, plain_, slots_));
  for (double value : balance_) point.balance.push_back(static_cast<float>(value / static_cast<double>(micro_)));
  return point;
}

}  // namespace moe
