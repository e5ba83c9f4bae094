#include "ui/models/run_columns.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moe::ui {

namespace {
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
}

void RunColumns::append(const StepPoint& point) {
  if (!steps_.empty() && point.step <= steps_.back()) truncate(point.step - 1);
  if (layers_.empty() && !point.layers.empty() && steps_.empty())
    for (const LayerPoint& layer : point.layers) {
      const int experts = static_cast<int>(layer.load.size());
      layers_.push_back({.layer = layer.layer, .experts = experts, .load = Pyramid(std::max(experts, 1)), .metrics = {}});
    }
  steps_.push_back(point.step);
  const double whole[] = {point.loss, point.validationLoss.value_or(kNone), point.auxLoss, point.zLoss, point.gradientNorm,
                          point.learningRate, point.tokensPerSecond};
  for (std::size_t i = 0; i < whole_.size(); ++i) whole_[i].append(static_cast<float>(whole[i]));
  std::vector<float> relative;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Layer& to = layers_[l];
    const LayerPoint* from = l < point.layers.size() && point.layers[l].load.size() == static_cast<std::size_t>(to.experts)
                                 ? &point.layers[l] : nullptr;
    relative.assign(static_cast<std::size_t>(to.load.width()), kNone);
    if (from)
      std::transform(from->load.begin(), from->load.end(), relative.begin(),
                     [&](float share) { return share * static_cast<float>(to.experts); });
    to.load.append(relative);
    const LayerPoint none;
    const LayerPoint& p = from ? *from : none;
    const float values[] = {p.maxVio, p.cv2, p.dropRate, p.tokenDropRate, p.routerEntropy, p.loadEntropy, p.meanProbEntropy,
                            p.margin, p.biasJaccard};
    for (std::size_t i = 0; i < to.metrics.size(); ++i) to.metrics[i].append(from ? values[i] : kNone);
  }
}

void RunColumns::truncate(std::int64_t step) {
  const auto keep = static_cast<std::size_t>(std::upper_bound(steps_.begin(), steps_.end(), step) - steps_.begin());
  if (keep == steps_.size()) return;
  const int next = revision_ + 1;
  if (keep == 0) {
    *this = RunColumns();
    revision_ = next;
    return;
  }
  revision_ = next;
  steps_.resize(keep);
  for (Pyramid& values : whole_) values.truncate(keep);
  for (Layer& layer : layers_) {
    layer.load.truncate(keep);
    for (Pyramid& values : layer.metrics) values.truncate(keep);
  }
}

std::optional<std::size_t> RunColumns::indexAt(std::int64_t step) const {
  const auto after = std::upper_bound(steps_.begin(), steps_.end(), step);
  if (after == steps_.begin()) return std::nullopt;
  return static_cast<std::size_t>(after - steps_.begin()) - 1;
}

std::size_t RunColumns::indexFrom(std::int64_t step) const {
  return static_cast<std::size_t>(std::lower_bound(steps_.begin(), steps_.end(), step) - steps_.begin());
}

const Pyramid& RunColumns::metric(Metric metric, std::size_t layer) const {
  if (!isPerLayer(metric)) return whole_[static_cast<std::size_t>(metric)];
  return layers_.at(layer).metrics[static_cast<std::size_t>(metric) - static_cast<std::size_t>(Metric::maxVio)];
}

std::optional<double> RunColumns::valueAt(Metric metric, std::size_t layer, std::size_t index) const {
  if (isPerLayer(metric) && layer >= layers_.size()) return std::nullopt;
  const Pyramid& values = this->metric(metric, layer);
  if (index >= values.size()) return std::nullopt;
  for (std::size_t i = index + 1; i-- > 0;) {
    const float value = values.row(i)[0];
    if (std::isfinite(value)) return value;
    if (metric != Metric::validationLoss) break;
  }
  return std::nullopt;
}

}  // namespace moe::ui
