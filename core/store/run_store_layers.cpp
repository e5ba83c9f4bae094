#include <limits>
#include <stdexcept>

#include "core/store/run_store_impl.h"

namespace moe {

BlockShape RunStore::Impl::shapeOf(const Rows& rows) const {
  constexpr std::int64_t kMost = 1 << 20;  // experts, terms or steps of a block that anyone could have written
  for (int column = 1; column < 5; ++column)
    if (rows.integer(column) < 0 || rows.integer(column) > kMost) damaged();
  return {rows.integer(0), rows.integer(1), static_cast<int>(rows.integer(2)), static_cast<int>(rows.integer(3)),
          static_cast<int>(rows.integer(4))};
}

std::vector<LayerRecord> RunStore::Impl::recordsOf(const BlockShape& shape, Bytes metrics, Bytes loads) const {
  try {
    return decodeRecords(shape, metrics, loads);
  } catch (const std::length_error&) { damaged(); }
}

void RunStore::Impl::writeBlock(RunId run, std::span<const LayerRecord> records, bool closed) {
  const LayerPoint& point = records.front().point;
  db.run(
      "INSERT INTO layer_blocks(run, layer, first_step, last_step, count, closed, experts, terms, metrics, loads) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      run, point.layer, records.front().step, records.back().step, static_cast<std::int64_t>(records.size()), closed,
      static_cast<std::int64_t>(point.load.size()), static_cast<std::int64_t>(point.balance.size()),
      encodeMetrics(records), encodeLoads(records));
  if (!closed) return;
  const std::int64_t block = db.lastRowId();
  db.run("INSERT INTO load_summaries(block, whole, parts) VALUES(?, ?, ?)", block, encodeSummary(records, kBlockSteps),
         encodeSummary(records, kBucketSteps));
}

void RunStore::Impl::deleteBlock(std::int64_t id) {
  db.run("DELETE FROM layer_blocks WHERE id = ?", id);
  db.run("DELETE FROM load_summaries WHERE block = ?", id);
}

void RunStore::Impl::appendLayer(RunId run, int layer, std::vector<LayerRecord> records) {
  const auto [counted, unknown] = openSteps.try_emplace({run, layer}, 0);
  if (unknown) {
    Rows rows = db.query("SELECT COALESCE(SUM(count), 0) FROM layer_blocks WHERE run = ? AND layer = ? AND closed = 0",
                         run, layer);
    rows.next();
    counted->second = rows.integer(0);
  }
  counted->second += static_cast<std::int64_t>(records.size());
  const bool joins = counted->second >= kBlockSteps;
  if (joins) {
    std::vector<LayerRecord> all;
    std::vector<std::int64_t> joined;
    {
      Rows rows = db.query(
          "SELECT first_step, count, layer, experts, terms, metrics, loads, id FROM layer_blocks "
          "WHERE run = ? AND layer = ? AND closed = 0 ORDER BY first_step",
          run, layer);
      while (rows.next()) {
        for (LayerRecord& record : recordsOf(shapeOf(rows), rows.blob(5), rows.blob(6)))
          all.push_back(std::move(record));
        joined.push_back(rows.integer(7));
      }
    }
    for (const std::int64_t block : joined) deleteBlock(block);
    for (LayerRecord& record : records) all.push_back(std::move(record));
    records = std::move(all);
  }
  std::size_t begin = 0;
  for (const std::size_t end : blockEnds(records)) {
    const bool closed = joins && (end < records.size() || end - begin == static_cast<std::size_t>(kBlockSteps));
    writeBlock(run, std::span(records).subspan(begin, end - begin), closed);
    if (closed) counted->second -= static_cast<std::int64_t>(end - begin);
    begin = end;
  }
}

void RunStore::Impl::truncateLayers(RunId run, std::int64_t step) {
  struct Cut {
    std::int64_t id;
    std::vector<LayerRecord> kept;
  };
  std::vector<Cut> cuts;
  {
    Rows rows = db.query(
        "SELECT first_step, count, layer, experts, terms, metrics, loads, id FROM layer_blocks WHERE run = ? AND "
        "last_step > ?",
        run, step);
    while (rows.next()) {
      Cut& cut = cuts.emplace_back();
      cut.id = rows.integer(7);
      for (LayerRecord& record : recordsOf(shapeOf(rows), rows.blob(5), rows.blob(6)))
        if (record.step <= step) cut.kept.push_back(std::move(record));
    }
  }
  for (const Cut& cut : cuts) {
    deleteBlock(cut.id);
    if (!cut.kept.empty()) writeBlock(run, cut.kept, false);
  }
}

void RunStore::Impl::deleteLayers(RunId run) {
  openSteps.clear();
  db.run("DELETE FROM load_summaries WHERE block IN (SELECT id FROM layer_blocks WHERE run = ?)", run);
  db.run("DELETE FROM layer_blocks WHERE run = ?", run);
}

void RunStore::Impl::readLayers(RunId run, std::vector<StepPoint>& points, bool withLoads) const {
  if (points.empty()) return;
  Rows rows = db.query(withLoads ? "SELECT first_step, count, layer, experts, terms, metrics, loads FROM layer_blocks "
                                   "WHERE run = ? AND last_step >= ? AND first_step <= ? ORDER BY layer, first_step"
                                 : "SELECT first_step, count, layer, experts, terms, metrics FROM layer_blocks "
                                   "WHERE run = ? AND last_step >= ? AND first_step <= ? ORDER BY layer, first_step",
                       run, points.front().step, points.back().step);
  std::size_t at = 0;  // points and records both ascend; each layer begins again
  int layer = std::numeric_limits<int>::min();
  while (rows.next()) {
    const BlockShape shape = shapeOf(rows);
    if (shape.layer != layer) at = 0;
    layer = shape.layer;
    while (at < points.size() && points[at].step < shape.firstStep) ++at;
    if (at == points.size()) continue;
    for (LayerRecord& record : recordsOf(shape, rows.blob(5), withLoads ? rows.blob(6) : Bytes())) {
      while (at < points.size() && points[at].step < record.step) ++at;
      if (at == points.size()) break;
      if (points[at].step == record.step) points[at].layers.push_back(std::move(record.point));
    }
  }
}

}  // namespace moe
