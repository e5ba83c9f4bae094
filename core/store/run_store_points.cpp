#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/error.h"
#include "core/store/run_store_impl.h"

namespace moe {
namespace {

/// What a loss counts as when the lowest and highest are looked for: one that is no number is higher than all.
double rankOf(const StepPoint& point) {
  return std::isnan(point.loss) ? std::numeric_limits<double>::infinity() : point.loss;
}

/// Of each stretch the lowest and highest loss and the newest validation, in order.
std::vector<StepPoint> thinned(std::vector<StepPoint> points, std::int64_t atMost) {
  const auto count = static_cast<std::int64_t>(points.size());
  if (atMost <= 0 || count <= atMost) return points;
  const std::int64_t stretches = std::max<std::int64_t>(1, atMost / 3);
  std::vector<StepPoint> kept;
  for (std::int64_t s = 0; s < stretches; ++s) {
    const std::int64_t begin = s * count / stretches, end = (s + 1) * count / stretches;
    std::int64_t low = begin, high = begin, validated = -1;
    for (std::int64_t i = begin; i < end; ++i) {
      const StepPoint& point = points[static_cast<std::size_t>(i)];
      if (rankOf(point) < rankOf(points[static_cast<std::size_t>(low)])) low = i;
      if (rankOf(point) > rankOf(points[static_cast<std::size_t>(high)])) high = i;
      if (point.validationLoss) validated = i;
    }
    std::vector<std::int64_t> chosen{low, high};
    if (validated >= 0) chosen.push_back(validated);
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    for (const std::int64_t i : chosen) kept.push_back(std::move(points[static_cast<std::size_t>(i)]));
  }
  if (static_cast<std::int64_t>(kept.size()) > atMost) kept.erase(kept.begin(), kept.end() - atMost);
  return kept;
}

/// "loss, validation_loss, ...": the metrics that stand in the table of points.
const std::string& metricColumns() {
  static const std::string names = [] {
    std::string text;
    for (const MetricRow& row : metricsOfRun())
      if (!row.column.empty()) text += std::string(row.column) + ", ";
    return text;
  }();
  return names;
}

std::vector<double> metricValues(const StepPoint& point) {
  std::vector<double> values;
  for (const MetricRow& row : metricsOfRun())
    if (!row.column.empty()) values.push_back(row.of(point));
  return values;
}

const char* insertPoint() {
  static const std::string sql = [] {
    std::string text = "INSERT INTO points(run, step, " + metricColumns() + "balance) VALUES(?, ?, ";
    for (std::size_t i = metricValues({}).size(); i > 0; --i) text += "?, ";
    return text + "?)";
  }();
  return sql.c_str();
}

const char* selectPoints(bool withBalance) {
  static const std::string from = " FROM points WHERE run = ? AND step > ? AND step <= ? ORDER BY step";
  static const std::string with = "SELECT step, " + metricColumns() + "balance" + from,
                           without = "SELECT step, " + metricColumns() + "NULL" + from;
  return (withBalance ? with : without).c_str();
}

}  // namespace

void RunStore::append(RunId run, std::span<const StepPoint> points) {
  if (points.empty() || handedOver<appendPoints>(run, points)) return;
  try {
    Transaction transaction(impl_->db);
    std::int64_t newest = 0;
    {
      Rows rows = impl_->db.query("SELECT steps FROM runs WHERE id = ?", run);
      if (!rows.next()) impl_->requireRun(run);
      newest = rows.integer(0);
    }
    std::map<int, std::vector<LayerRecord>> layers;
    for (const StepPoint& point : points) {
      if (point.step <= newest)
        throw Error("store", impl_->file.string() + ": expected points of run " + std::to_string(run) +
                                 " behind step " + std::to_string(newest) + ", found step " +
                                 std::to_string(point.step) + "; drop the later ones first");
      newest = point.step;
      impl_->db.run(insertPoint(), run, point.step, metricValues(point), std::as_bytes(std::span(point.balance)));
      if (point.validationLoss)
        impl_->db.run("UPDATE runs SET validation_loss = ? WHERE id = ?", point.validationLoss, run);
      for (const LayerPoint& layer : point.layers) layers[layer.layer].push_back({point.step, layer});
    }
    for (auto& [layer, records] : layers) impl_->appendLayer(run, layer, std::move(records));
    impl_->db.run("UPDATE runs SET steps = ?, train_loss = ? WHERE id = ?", newest, points.back().loss, run);
    transaction.commit();
  } catch (...) {
    impl_->openSteps.clear();  // counted within what was rolled back
    throw;
  }
}

void RunStore::truncate(RunId run, std::int64_t step) {
  if (handedOver<&RunStore::truncate>(run, step)) return;
  impl_->requireUnclaimed(run);
  impl_->openSteps.clear();
  Transaction transaction(impl_->db);
  impl_->requireRun(run);
  impl_->db.run("DELETE FROM points WHERE run = ? AND step > ?", run, step);
  impl_->db.run("DELETE FROM events WHERE run = ? AND step > ?", run, step);
  impl_->truncateLayers(run, step);
  impl_->truncateStudies(run, step);
  impl_->db.run(
      "UPDATE runs SET steps = COALESCE((SELECT MAX(step) FROM points WHERE run = ?1), parent_step), "
      "train_loss = (SELECT loss FROM points WHERE run = ?1 ORDER BY step DESC LIMIT 1), "
      "validation_loss = (SELECT validation_loss FROM points WHERE run = ?1 AND validation_loss IS NOT NULL ORDER BY "
      "step DESC LIMIT 1) "
      "WHERE id = ?1",
      run);
  transaction.commit();
}

std::vector<StepPoint> RunStore::points(RunId run, std::int64_t after, std::int64_t until, std::int64_t atMost,
                                        bool withLoads) const {
  std::vector<StepPoint> points;
  {
    Rows rows = impl_->db.query(selectPoints(impl_->version >= 2), run, after, until);
    while (rows.next()) {
      StepPoint& point = points.emplace_back();
      point.run = run;
      point.step = rows.integer(0);
      int column = 0;
      for (const MetricRow& row : metricsOfRun())
        if (!row.column.empty()) row.put(point, rows.real(++column));
      const Bytes balance = rows.blob(++column);
      point.balance.resize(balance.size() / sizeof(float));
      if (!balance.empty()) std::memcpy(point.balance.data(), balance.data(), point.balance.size() * sizeof(float));
    }
  }
  points = thinned(std::move(points), atMost);
  impl_->readLayers(run, points, withLoads);
  return points;
}

}  // namespace moe
