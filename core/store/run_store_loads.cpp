#include <cassert>
#include <stdexcept>

#include "core/store/run_store_impl.h"

namespace moe {
namespace {

/// Joins buckets into columns of at least `steps` steps, so that there are never more than asked for.
class ColumnMaker {
 public:
  ColumnMaker(LoadColumns& out, std::int64_t steps) : out_(out), steps_(steps) {}
  ~ColumnMaker() { finish(); }
  void add(LoadBucket bucket) {
    for (auto* values : {&bucket.low, &bucket.high, &bucket.last})
      values->resize(static_cast<std::size_t>(out_.experts));
    if (open_.steps == 0)
      open_ = std::move(bucket);
    else
      open_.add(bucket);
    if (open_.steps >= steps_) finish();
  }

 private:
  void finish() {
    if (open_.steps == 0) return;
    out_.firstStep.push_back(open_.firstStep);
    out_.low.insert(out_.low.end(), open_.low.begin(), open_.low.end());
    out_.high.insert(out_.high.end(), open_.high.begin(), open_.high.end());
    out_.last.insert(out_.last.end(), open_.last.begin(), open_.last.end());
    open_ = {};
  }

  LoadColumns& out_;
  std::int64_t steps_;
  LoadBucket open_;
};

struct Block {
  std::int64_t id, lastStep;
  bool closed;
  BlockShape shape;
};

}  // namespace

std::vector<LoadColumns> RunStore::loads(RunId run, std::int64_t after, std::int64_t until, int columns) const {
  assert(columns > 0);
  std::vector<Block> blocks;
  {
    Rows rows = impl_->db.query(
        "SELECT first_step, count, layer, experts, terms, last_step, closed, id FROM layer_blocks "
        "WHERE run = ? AND last_step > ? AND first_step <= ? ORDER BY layer, first_step",
        run, after, until);
    while (rows.next())
      blocks.push_back({rows.integer(7), rows.integer(5), rows.integer(6) != 0, impl_->shapeOf(rows)});
  }
  std::vector<LoadColumns> layers;
  for (std::size_t begin = 0, end = 0; begin < blocks.size(); begin = end) {
    std::int64_t steps = 0;
    for (end = begin; end < blocks.size() && blocks[end].shape.layer == blocks[begin].shape.layer; ++end)
      steps += blocks[end].shape.count;
    LoadColumns& out = layers.emplace_back();
    out.layer = blocks[begin].shape.layer;
    out.experts = blocks[begin].shape.experts;
    const std::int64_t perColumn = (steps + columns - 1) / columns;
    ColumnMaker column(out, perColumn);
    for (std::size_t i = begin; i < end; ++i) {
      const Block& block = blocks[i];
      const bool within = block.shape.firstStep > after && block.lastStep <= until;
      if (block.closed && within && perColumn >= kBucketSteps) {  // the pyramid is fine enough
        Rows rows = impl_->db.query(perColumn >= kBlockSteps ? "SELECT whole FROM load_summaries WHERE block = ?"
                                                             : "SELECT parts FROM load_summaries WHERE block = ?",
                                    block.id);
        if (!rows.next()) impl_->damaged();
        try {
          for (LoadBucket& bucket : decodeSummary(block.shape, rows.blob(0))) column.add(std::move(bucket));
        } catch (const std::length_error&) { impl_->damaged(); }
        continue;
      }
      Rows rows = impl_->db.query("SELECT metrics, loads FROM layer_blocks WHERE id = ?", block.id);
      if (!rows.next()) impl_->damaged();
      for (const LayerRecord& record : impl_->recordsOf(block.shape, rows.blob(0), rows.blob(1)))
        if (record.step > after && record.step <= until) column.add(bucketOf(record));
    }
  }
  return layers;
}

}  // namespace moe
