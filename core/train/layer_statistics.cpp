#include "core/train/layer_statistics.h"

#include <numeric>

#include "core/telemetry/health.h"
#include "core/telemetry/router_health.h"

namespace moe {
namespace {

double sumOf(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

}  // namespace

void LayerStatistics::set(const RoutingSummary& sum, const Recipe& recipe, std::int64_t tokens,
                          std::int64_t microBatches, bool measuring) {
  experts_ = sum.experts;
  weighed_ = asksEveryExpert(recipe);
  measured_ = measuring;
  biased_ = recipe.adjust.selectionBias.has_value();
  sums_.assign(sum.row.begin(), sum.row.end());
  tokens_ = tokens;
  micro_ = microBatches;
}

std::vector<double> LayerStatistics::admittedPerToken() const {
  std::vector<double> mean;
  if (micro_ == 0) return mean;
  for (const double count : total().admitted()) mean.push_back(count / static_cast<double>(tokens_));
  return mean;
}

LayerPoint LayerStatistics::point(int layer) const {
  LayerPoint point;
  point.layer = layer;
  const RoutingSummary sums = total();
  const std::span<const double> assignments = weighed_ ? sums.weights() : sums.counts();
  const LoadHealth load = loadHealth(assignments);
  point.assignments = sumOf(assignments);
  for (const double share : assignments) point.load.push_back(static_cast<float>(ratio(share, point.assignments)));
  point.maxVio = static_cast<float>(load.maxVio);
  point.cv2 = static_cast<float>(load.cv2);
  point.loadEntropy = static_cast<float>(load.entropy);
  point.unused = static_cast<float>(load.unused);
  point.dropRate = static_cast<float>(ratio(sums.dropped(), sumOf(sums.counts())));
  if (!measured_) return point;
  const auto tokens = static_cast<double>(tokens_);
  point.tokenDropRate = static_cast<float>(sums.droppedTokens() / tokens);
  const auto importance = sums.importance();
  const RouterHealth router = routerHealth({tokens_, sums.entropy(), {importance.begin(), importance.end()}});
  point.routerEntropy = static_cast<float>(router.entropy);
  point.meanProbEntropy = static_cast<float>(router.meanProbEntropy);
  point.importanceCv2 = static_cast<float>(router.importanceCv2);
  point.margin = static_cast<float>(ratio(sums.margin(), sums.marginTokens()));
  if (biased_) point.biasJaccard = static_cast<float>(sums.jaccard() / tokens);
  const auto micro = static_cast<double>(micro_);
  for (const double value : sums.balance()) point.balance.push_back(static_cast<float>(value / micro));
  return point;
}

}  // namespace moe
