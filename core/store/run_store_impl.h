#pragma once
#include <map>
#include <optional>
#include <utility>

#include "core/store/layer_blocks.h"
#include "core/store/lock.h"
#include "core/store/run_store.h"
#include "core/store/sqlite.h"

namespace moe {

struct RunStore::Impl {
  std::filesystem::path file;
  Access access;
  std::optional<StoreLock> lock;
  mutable Connection db;
  std::int64_t version = 0;  // of the file: below this program's where it was opened read-only
  std::map<std::pair<RunId, int>, std::int64_t> openSteps;  // steps in open blocks, by run and layer; absent: not counted yet

  Impl(std::filesystem::path path, Access how, Connection::Mode mode);

  /// Throws where the store was opened read-only.
  void requireWrite() const;
  /// Throws where the last statement met no run of this id.
  void requireFound(RunId run) const;
  /// Throws where there is no run of this id.
  void requireRun(RunId run) const;
  [[noreturn]] void damaged() const;

  // run_store_studies.cpp; the caller holds a transaction.
  void truncateStudies(RunId run, std::int64_t step);

  // run_store_layers.cpp; the caller holds a transaction.
  void appendLayer(RunId run, int layer, std::vector<LayerRecord> records);
  void truncateLayers(RunId run, std::int64_t step);
  void deleteLayers(RunId run);
  void writeBlock(RunId run, std::span<const LayerRecord> records, bool closed);
  void deleteBlock(std::int64_t id);
  /// Of a row that begins with first_step, count, layer, experts, terms.
  BlockShape shapeOf(const Rows& rows) const;
  std::vector<LayerRecord> recordsOf(const BlockShape& shape, Bytes metrics, Bytes loads) const;
  /// Fills `layers` of points in ascending order of step.
  void readLayers(RunId run, std::vector<StepPoint>& points, bool withLoads) const;
};

}  // namespace moe
