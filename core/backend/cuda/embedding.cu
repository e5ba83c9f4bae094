#include <vector>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

template <int kN>
struct Embed {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "embedding";
  float* x;
  const float *tokenTable, *positionTable;
  const std::int32_t *ids, *positions;
  std::int64_t pieces;  // of kN numbers
  int width;

  MOE_DEVICE void operator()() const {
    for (std::int64_t piece = globalThread(); piece < pieces; piece += globalThreads()) {
      const std::int64_t t = piece * kN / width;
      const int i = static_cast<int>(piece * kN - t * width);
      Numbers<kN> v = load<kN>(tokenTable + static_cast<std::int64_t>(ids[t]) * width + i);
      if (positionTable != nullptr) {
        const Numbers<kN> p = load<kN>(positionTable + static_cast<std::int64_t>(positions[t]) * width + i);
        for (int j = 0; j < kN; ++j) v.value[j] += p.value[j];
      }
      store(x + piece * kN, v);
    }
  }
};

/// Rows of a table that were read, and by which tokens, ascending: row r's are order[begin[r]] to order[begin[r + 1]].
struct ReadRows {
  float* gradient;  // null: nobody asked
  const std::int32_t *count, *row, *begin, *order;
};

/// A block for each row that was read, its warps sharing out the tokens.
template <int kN>
struct EmbedBackward {
  static constexpr int kThreads = 256;
  static constexpr int kWarps = kThreads / kWarp;
  static constexpr int kSharedBytes = kThreads * kN * static_cast<int>(sizeof(float));
  static constexpr const char* kName = "embedding backward";
  const float* dx;
  int width;
  int tokenRows;  // blocks of the token table; those of positions follow
  ReadRows tokens, positions;

  MOE_DEVICE void operator()() const {
    const bool first = block().x < tokenRows;
    const ReadRows& rows = first ? tokens : positions;
    const int index = first ? block().x : block().x - tokenRows;
    if (index >= *rows.count) return;
    const int column = (block().y * kWarp + lane()) * kN;
    Numbers<kN> sum = {};
    if (column < width)
      for (int i = rows.begin[index] + warp(); i < rows.begin[index + 1]; i += kWarps) {
        const Numbers<kN> v = load<kN>(dx + static_cast<std::int64_t>(rows.order[i]) * width + column);
        for (int j = 0; j < kN; ++j) sum.value[j] += v.value[j];
      }
    auto* const room = shared<Numbers<kN>>();
    room[threadOfBlock()] = sum;
    sync();
    if (warp() != 0 || column >= width) return;
    float* const to = rows.gradient + static_cast<std::int64_t>(rows.row[index]) * width + column;
    Numbers<kN> out = load<kN>(to);
    for (int w = 0; w < kWarps; ++w)
      for (int j = 0; j < kN; ++j) out.value[j] += room[w * kWarp + lane()].value[j];
    store(to, out);
  }
};

}  // namespace

void CudaBackend::embedding(const TensorView& x, const TensorView& tokenTable, const TensorView& positionTable,
                            std::span<const std::int32_t> ids, std::span<const std::int32_t> positions) {
  const auto timed = queue().time("embedding");
  const std::int64_t width = tokenTable.shape[1];
  assert(x.elements() == static_cast<std::int64_t>(ids.size()) * width);
  assert(positionTable.empty() || (positions.size() == ids.size() && positionTable.shape[1] == width));
  if (x.empty()) return;
  written(x);
  const std::int32_t* const rows = queue().constant(ids);
  const std::int32_t* const places = positionTable.empty() ? nullptr : queue().constant(positions);
  const auto run = [&]<int kN>() {
    queue().launch<Embed<kN>>({blocksFor(x.elements() / kN, 256)}, 0, at<float>(x), at<float>(tokenTable),
                              at<float>(positionTable), rows, places, x.elements() / kN, static_cast<int>(width));
  };
  if (movesFours(width, at<float>(x), at<float>(tokenTable), at<float>(positionTable)))
    run.template operator()<4>();
  else
    run.template operator()<1>();
}

void CudaBackend::embeddingBackward(const TensorView& dTokenTable, const TensorView& dPositionTable,
                                    const TensorView& dx, std::span<const std::int32_t> ids,
                                    std::span<const std::int32_t> positions) {
  const auto timed = queue().time("embedding backward");
  const std::int64_t width = dx.shape[1];
  assert(dx.elements() == static_cast<std::int64_t>(ids.size()) * width);
  if (dx.empty()) return;
  // The host knows who read which row; a list is as long as it can be, so that the grid is the same in every step.
  const auto rowsOf = [this](const TensorView& gradient, std::span<const std::int32_t> read, int& most) {
    most = 0;
    if (gradient.empty()) return ReadRows{};
    written(gradient);
    const auto table = static_cast<std::size_t>(gradient.shape[0]);
    most = static_cast<int>(std::min(table, read.size()));
    std::vector<std::int32_t> starts(table + 1, 0);
    for (const std::int32_t id : read) ++starts[static_cast<std::size_t>(id) + 1];
    const auto room = static_cast<std::size_t>(most);
    std::vector<std::int32_t> list(1 + room + room + 1 + read.size());
    std::int32_t *const row = list.data() + 1, *const begin = row + room, *const order = begin + room + 1;
    std::int32_t count = 0;
    for (std::size_t r = 0; r < table; ++r) {
      if (starts[r + 1] != 0) {
        row[count] = static_cast<std::int32_t>(r);
        begin[count++] = starts[r];
      }
      starts[r + 1] += starts[r];
    }
    begin[count] = static_cast<std::int32_t>(read.size());
    for (std::size_t t = 0; t < read.size(); ++t)
      order[starts[static_cast<std::size_t>(read[t])]++] = static_cast<std::int32_t>(t);
    list[0] = count;
    const std::int32_t* const there = queue().constant(std::span<const std::int32_t>(list));
    return ReadRows{at<float>(gradient), there, there + 1, there + 1 + room, there + 2 + 2 * room};
  };
  int tokenRows = 0, positionRows = 0;
  const ReadRows tokens = rowsOf(dTokenTable, ids, tokenRows), places = rowsOf(dPositionTable, positions, positionRows);
  const auto run = [&]<int kN>() {
    const auto across = static_cast<int>((width + kWarp * kN - 1) / (kWarp * kN));
    queue().launch<EmbedBackward<kN>>({tokenRows + positionRows, across}, EmbedBackward<kN>::kSharedBytes, at<float>(dx),
                                      static_cast<int>(width), tokenRows, tokens, places);
  };
  if (movesFours(width, at<float>(dx), tokens.gradient, places.gradient))
    run.template operator()<4>();
  else
    run.template operator()<1>();
}

}  // namespace moe::cuda
