#include "core/store/layer_blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <type_traits>

namespace moe {
namespace {

static_assert(std::endian::native == std::endian::little, "blocks are written as they lie in memory");

// A record holds the step's offset, the layer's metrics as they lie in memory, its assignments, and twice its terms.
static_assert(std::is_trivially_copyable_v<LayerMetrics>);
using Metrics = std::array<float, kLayerMetrics>;

constexpr std::size_t kFirstMetrics = 9;  // of stores of version 1, which had neither assignments nor term gradients

template <class T>
void put(std::vector<std::byte>& out, const T* values, std::size_t count) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values);
  out.insert(out.end(), bytes, bytes + count * sizeof(T));
}

class Taker {
 public:
  explicit Taker(Bytes bytes) : bytes_(bytes) {}
  template <class T>
  void take(T* values, std::size_t count) {
    if (count * sizeof(T) > bytes_.size()) throw std::length_error("block");
    if (count > 0) std::memcpy(values, bytes_.data(), count * sizeof(T));
    bytes_ = bytes_.subspan(count * sizeof(T));
  }
  bool empty() const { return bytes_.empty(); }

 private:
  Bytes bytes_;
};

void put(std::vector<std::byte>& out, std::int64_t first, const LoadBucket& bucket) {
  const std::uint32_t place[2] = {static_cast<std::uint32_t>(bucket.firstStep - first),
                                  static_cast<std::uint32_t>(bucket.steps)};
  put(out, place, 2);
  for (const auto* values : {&bucket.low, &bucket.high, &bucket.last}) put(out, values->data(), values->size());
}

bool sameLayout(const LayerRecord& a, const LayerRecord& b) {
  return a.point.load.size() == b.point.load.size() && a.point.balance.size() == b.point.balance.size();
}

}  // namespace

std::vector<std::byte> encodeMetrics(std::span<const LayerRecord> records) {
  std::vector<std::byte> out;
  for (const LayerRecord& record : records) {
    const auto offset = static_cast<std::uint32_t>(record.step - records.front().step);
    put(out, &offset, 1);
    const auto metrics = std::bit_cast<Metrics>(static_cast<const LayerMetrics&>(record.point));
    put(out, metrics.data(), metrics.size());
    const auto assignments = static_cast<float>(record.point.assignments);
    put(out, &assignments, 1);
    put(out, record.point.balance.data(), record.point.balance.size());
    std::vector<float> gradients = record.point.termGradient;
    gradients.resize(record.point.balance.size(), kNotMeasured);
    put(out, gradients.data(), gradients.size());
  }
  return out;
}

std::vector<std::byte> encodeLoads(std::span<const LayerRecord> records) {
  std::vector<std::byte> out;
  for (const LayerRecord& record : records) put(out, record.point.load.data(), record.point.load.size());
  return out;
}

std::vector<LayerRecord> decodeRecords(const BlockShape& shape, Bytes metrics, Bytes loads) {
  const auto terms = static_cast<std::size_t>(shape.terms), count = static_cast<std::size_t>(shape.count);
  if (count == 0 || metrics.size() % (count * sizeof(float)) != 0) throw std::length_error("metrics");
  const std::size_t perRecord = metrics.size() / count / sizeof(float);
  const bool first = perRecord == 1 + kFirstMetrics + terms;
  if (!first && perRecord != 2 + kLayerMetrics + 2 * terms) throw std::length_error("metrics");
  const std::size_t stored = first ? kFirstMetrics : kLayerMetrics;
  const std::size_t loadBytes = sizeof(float) * static_cast<std::size_t>(shape.experts);
  if (!loads.empty() && (loadBytes == 0 || loads.size() % loadBytes != 0 || loads.size() / loadBytes != count))
    throw std::length_error("loads");
  Taker metricsLeft(metrics), loadsLeft(loads);
  std::vector<LayerRecord> records(count);
  for (LayerRecord& record : records) {
    std::uint32_t offset = 0;
    metricsLeft.take(&offset, 1);
    record.step = shape.firstStep + offset;
    record.point.layer = shape.layer;
    Metrics values;
    values.fill(kNotMeasured);
    metricsLeft.take(values.data(), stored);
    static_cast<LayerMetrics&>(record.point) = std::bit_cast<LayerMetrics>(values);
    float assignments = 0;
    if (!first) metricsLeft.take(&assignments, 1);
    record.point.assignments = assignments;
    record.point.balance.resize(terms);
    metricsLeft.take(record.point.balance.data(), terms);
    if (!first) {
      record.point.termGradient.resize(terms);
      metricsLeft.take(record.point.termGradient.data(), terms);
      if (std::ranges::all_of(record.point.termGradient, [](float value) { return std::isnan(value); }))
        record.point.termGradient.clear();
    }
    if (loads.empty()) continue;
    record.point.load.resize(static_cast<std::size_t>(shape.experts));
    loadsLeft.take(record.point.load.data(), record.point.load.size());
  }
  return records;
}

std::vector<std::size_t> blockEnds(std::span<const LayerRecord> records) {
  std::vector<std::size_t> ends;
  std::size_t begin = 0;
  for (std::size_t i = 1; i <= records.size(); ++i)
    if (i == records.size() || i - begin == static_cast<std::size_t>(kBlockSteps) ||
        !sameLayout(records[begin], records[i])) {
      ends.push_back(i);
      begin = i;
    }
  return ends;
}

void LoadBucket::add(const LoadBucket& next) {
  assert(low.size() == next.low.size());
  for (std::size_t e = 0; e < low.size(); ++e) {
    low[e] = std::min(low[e], next.low[e]);
    high[e] = std::max(high[e], next.high[e]);
  }
  last = next.last;
  steps += next.steps;
}

LoadBucket bucketOf(const LayerRecord& record) {
  return {record.step, 1, record.point.load, record.point.load, record.point.load};
}

std::vector<std::byte> encodeSummary(std::span<const LayerRecord> records, std::int64_t bucketSteps) {
  std::vector<std::byte> out;
  const auto size = static_cast<std::size_t>(bucketSteps);
  for (std::size_t begin = 0; begin < records.size(); begin += size) {
    LoadBucket bucket = bucketOf(records[begin]);
    for (std::size_t i = begin + 1; i < std::min(begin + size, records.size()); ++i) bucket.add(bucketOf(records[i]));
    put(out, records.front().step, bucket);
  }
  return out;
}

std::vector<LoadBucket> decodeSummary(const BlockShape& shape, Bytes summary) {
  std::vector<LoadBucket> buckets;
  for (Taker left(summary); !left.empty();) {
    std::uint32_t place[2];
    left.take(place, 2);
    LoadBucket bucket{shape.firstStep + place[0], place[1], {}, {}, {}};
    for (auto* values : {&bucket.low, &bucket.high, &bucket.last}) {
      values->resize(static_cast<std::size_t>(shape.experts));
      left.take(values->data(), values->size());
    }
    buckets.push_back(std::move(bucket));
  }
  return buckets;
}

}  // namespace moe
