#pragma once
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "core/store/layer_blocks.h"
#include "core/store/lock.h"
#include "core/store/run_store.h"
#include "core/store/sqlite.h"
#include "core/store/store_client.h"
#include "core/store/store_link.h"
#include "core/store/store_operations.h"

namespace moe {

/// What stays of a store when another process takes it over.
struct StoreSelf {
  StoreClient client;              // this process
  std::uint64_t sequence = 0;      // of its last message
  std::list<StoreClient*> guests;  // those this process records for
};

struct RunStore::Impl {
  std::filesystem::path file;
  Access access;
  std::shared_ptr<StoreSelf> self;
  TrainingProcess* acting;          // for whom an operation is done: this process, or one that it records for
  std::optional<StoreLock> lock;    // held: this process writes
  std::unique_ptr<StoreLink> link;  // to the one that writes, where another does
  mutable Connection db;
  // Where this process writes: the inode of the file that it writes ahead to, and the disk that the store lies on.
  std::optional<std::uint64_t> log, disk;
  std::int64_t version = 0;  // of the file: below this program's where it was opened read-only
  std::map<std::pair<RunId, int>, std::int64_t>
      openSteps;  // steps in open blocks, by run and layer; absent: not counted yet

  /// lock: taken where this process is to write.
  Impl(std::filesystem::path path, Access how, std::shared_ptr<StoreSelf> self, std::optional<StoreLock> lock,
       Connection::Mode mode);
  static std::unique_ptr<Impl> reader(const std::filesystem::path& file, Access how, std::shared_ptr<StoreSelf> self);
  /// The process that writes, or StoreHeld.
  static std::unique_ptr<Impl> holder(const std::filesystem::path& file, Access how, std::shared_ptr<StoreSelf> self);
  /// That, or a link to the one that is, within so long.
  static std::unique_ptr<Impl> holderOrGuest(const std::filesystem::path& file, std::shared_ptr<StoreSelf> self,
                                             std::chrono::milliseconds patience);

  /// Puts down what the process last said of its runs: another that took the store may have found them left "running".
  void restate(const TrainingProcess& process);
  /// Throws where another process trains the run.
  void requireUnclaimed(RunId run) const;
  /// The result of the last message of that token, where it has this sequence.
  std::optional<std::string> doneBefore(const std::string& token, std::uint64_t sequence) const;
  void forget(const std::string& token);

  /// Throws where the last statement met no run of this id.
  void requireFound(RunId run) const;
  /// Throws where there is no run of this id.
  void requireRun(RunId run) const;
  [[noreturn]] void damaged() const;

  RunId insertRun(const RunSummary& first);
  void deleteRun(RunId run);

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

template <auto Operation, class... Values>
auto RunStore::handedOver(const Values&... values) {
  using Result = typename ResultOfOperation<decltype(Operation)>::Type;
  std::optional<std::conditional_t<std::is_void_v<Result>, bool, Result>> done;
  if (impl_->lock) return done;
  if (impl_->access == Access::readOnly)
    throw Error(
        "store",
        impl_->file.string() +
            ": expected a store opened for writing, found it opened read-only; close the program that holds it");
  MessageWriter message;
  message.put(++impl_->self->sequence).put(placeOf<Operation>(StoreOperations()));
  putArguments(message, Operation, values...);
  if (const std::optional<std::string> result = askHolder(message.take(), impl_->self->sequence)) {
    if constexpr (std::is_void_v<Result>)
      done = true;
    else
      done = MessageReader(*result).template take<Result>();
  }
  return done;
}

}  // namespace moe
