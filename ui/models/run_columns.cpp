#include "ui/models/run_columns.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moe::ui {

namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

/// One a term: as many as the pyramid is wide, none where they are not there.
std::vector<float> fitted(const std::vector<float>& values, const Pyramid& to) {
  std::vector<float> row = values;
  row.resize(static_cast<std::size_t>(to.width()), kNone);
  return row;
}

/// Of the last row at or before `index` that has a number.
std::optional<std::size_t> newestIndex(const Pyramid& values, std::size_t index) {
  for (std::size_t i = std::min(index + 1, values.size()); i-- > 0;)
    if (std::ranges::any_of(values.row(i), [](float value) { return std::isfinite(value); })) return i;
  return std::nullopt;
}

/// That row; empty where there is none.
std::vector<float> newestRow(const Pyramid& values, std::size_t index) {
  const std::optional<std::size_t> newest = newestIndex(values, index);
  if (!newest) return {};
  const auto row = values.row(*newest);
  return {row.begin(), row.end()};
}

}  // namespace

void RunColumns::append(const StepPoint& point) {
  if (!steps_.empty() && point.step <= steps_.back()) truncate(point.step - 1);
  if (layers_.empty() && !point.layers.empty() && steps_.empty())
    for (const LayerPoint& layer : point.layers) {
      const int experts = static_cast<int>(layer.load.size());
      const int terms = std::max(1, static_cast<int>(layer.balance.size()));
      layers_.push_back({.layer = layer.layer,
                         .experts = experts,
                         .load = Pyramid(std::max(experts, 1)),
                         .metrics = std::vector<Pyramid>(metricsOfLayers().size()),
                         .balance = Pyramid(terms),
                         .termGradient = Pyramid(terms)});
    }
  if (steps_.empty()) balance_ = Pyramid(std::max(1, static_cast<int>(point.balance.size())));
  for (std::size_t l = 0; l < layers_.size() && l < point.layers.size(); ++l)
    if (const auto experts = static_cast<int>(point.layers[l].load.size());
        experts > 0 && experts != layers_[l].experts)
      resize(l, experts);
  steps_.push_back(point.step);
  for (std::size_t i = 0; i < whole_.size(); ++i) whole_[i].append(static_cast<float>(metricsOfRun()[i].of(point)));
  balance_.append(fitted(point.balance, balance_));
  std::vector<float> relative;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Layer& to = layers_[l];
    const LayerPoint* from =
        l < point.layers.size() && point.layers[l].load.size() == static_cast<std::size_t>(to.experts)
            ? &point.layers[l]
            : nullptr;
    relative.assign(static_cast<std::size_t>(to.load.width()), kNone);
    if (from)
      std::transform(from->load.begin(), from->load.end(), relative.begin(),
                     [&](float share) { return share * static_cast<float>(to.experts); });
    to.load.append(relative);
    const LayerPoint none;
    const LayerPoint& p = from ? *from : none;
    for (std::size_t i = 0; i < to.metrics.size(); ++i)
      to.metrics[i].append(from ? static_cast<float>(metricsOfLayers()[i].ofLayer(p)) : kNone);
    to.balance.append(fitted(p.balance, to.balance));
    to.termGradient.append(fitted(p.termGradient, to.termGradient));
  }
}

void RunColumns::resize(std::size_t layer, int experts) {
  Layer& to = layers_[layer];
  const Pyramid before = std::move(to.load);
  const auto width = static_cast<std::size_t>(experts), old = static_cast<std::size_t>(to.experts);
  to.experts = experts;
  to.load = Pyramid(experts);
  std::vector<float> row(width);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    std::ranges::fill(row, kNone);
    // Added experts come last, so the others keep their rows; after a removal nobody can say here whose row was whose.
    if (width > old) std::ranges::copy(before.row(i), row.begin());
    to.load.append(row);
  }
  ++revision_;
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
  balance_.truncate(keep);
  for (Layer& layer : layers_) {
    layer.load.truncate(keep);
    for (Pyramid& values : layer.metrics) values.truncate(keep);
    layer.balance.truncate(keep);
    layer.termGradient.truncate(keep);
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
  const auto index = static_cast<std::size_t>(metric);
  return isPerLayer(metric) ? layers_.at(layer).metrics[index - whole_.size()] : whole_[index];
}

StepPoint RunColumns::pointAt(std::size_t index) const {
  StepPoint point;
  point.step = steps_.at(index);
  for (const MetricRow& row : metricsOfRun())
    if (row.put) row.put(point, valueAt(row.metric, 0, index).value_or(kNone));
  point.balance = newestRow(balance_, index);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    LayerPoint& layer = point.layers.emplace_back();
    layer.layer = layers_[l].layer;
    const auto load = layers_[l].load.row(index);
    for (const float relative : load) layer.load.push_back(relative / static_cast<float>(layers_[l].experts));
    for (const MetricRow& row : metricsOfLayers())
      if (row.putLayer) row.putLayer(layer, valueAt(row.metric, l, index).value_or(kNone));
    const std::optional<std::size_t> looked = newestIndex(metric(Metric::balanceGradient, l), index);
    layer.languageGradient = looked ? metric(Metric::languageGradient, l).row(*looked)[0] : kNone;
    layer.balance = newestRow(layers_[l].balance, index);
    layer.termGradient = newestRow(layers_[l].termGradient, index);
  }
  return point;
}

std::optional<std::size_t> RunColumns::balancerMeasuredAt(std::size_t index) const {
  if (layers_.empty()) return std::nullopt;
  for (std::optional<std::size_t> at = newestIndex(metric(Metric::languageGradient, 0), index); at;
       at = *at > 0 ? newestIndex(metric(Metric::languageGradient, 0), *at - 1) : std::nullopt)
    if (std::isfinite(metric(Metric::balanceGradient, 0).row(*at)[0])) return at;
  return std::nullopt;
}

std::optional<double> RunColumns::valueAt(Metric metric, std::size_t layer, std::size_t index) const {
  if (isPerLayer(metric) && layer >= layers_.size()) return std::nullopt;
  const Pyramid& values = this->metric(metric, layer);
  if (index >= values.size()) return std::nullopt;
  for (std::size_t i = index + 1; i-- > 0;) {
    const float value = values.row(i)[0];
    if (std::isfinite(value)) return value;
    if (!rowOf(metric).nowAndThen) break;
  }
  return std::nullopt;
}

}  // namespace moe::ui
