#include <algorithm>
#include <vector>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

/// A warp a token.
template <int kVector>
struct Embedding {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "embedding";
  float* x;
  const float *tokenTable, *positionTable;
  const std::int32_t *ids, *positions;
  int tokens, width;

  MOE_DEVICE void operator()() const {
    const int t = block().x * (kThreads / kWarp) + warp();
    if (t >= tokens) return;
    const float* const token = tokenTable + static_cast<std::int64_t>(ids[t]) * width;
    const float* position = nullptr;
    if (positionTable != nullptr) position = positionTable + static_cast<std::int64_t>(positions[t]) * width;
    float* const out = x + static_cast<std::int64_t>(t) * width;
    for (int i = lane() * kVector; i < width; i += kWarp * kVector) {
      float values[kVector];
      load(values, token + i);
      if (position != nullptr) {
        float shift[kVector];
        load(shift, position + i);
        addTo(values, shift);
      }
      store(out + i, values);
    }
  }
};

// The gradient of a table's row is the sum of the tokens that read it, in their order. The host sorts them; a row that
// many tokens read is summed in pieces, and who ends last adds the pieces up.

/// Tokens order[begin..end) of one row. group: the row's entry in the list of those with several pieces, or -1. A row
/// below 0 fills the grid up, whose size must not depend on the ids.
struct Piece {
  std::int32_t row, begin, end, group;
};
/// A row's tokens order[begin..end), and its first piece's place among the partial sums.
struct PieceGroup {
  std::int32_t begin, end, partial, unused;
};

struct PieceLists {
  std::vector<std::int32_t> order;
  std::vector<Piece> pieces;
  std::vector<PieceGroup> groups;
};

/// Pieces of at most pieceRows tokens. first...: where this table's lists begin in those of both tables.
PieceLists listPieces(std::span<const std::int32_t> rowOf, std::int64_t tableRows, int pieceRows, int firstGroup,
                      int firstPartial, std::int32_t firstToken) {
  const auto tokens = static_cast<std::int32_t>(rowOf.size());
  PieceLists lists;
  std::vector<std::int32_t> begin(static_cast<std::size_t>(tableRows) + 1);
  for (const std::int32_t row : rowOf) ++begin[static_cast<std::size_t>(row) + 1];
  for (std::size_t row = 0; row + 1 < begin.size(); ++row) begin[row + 1] += begin[row];
  for (std::size_t row = 0; row + 1 < begin.size(); ++row) {
    const std::int32_t from = firstToken + begin[row], to = firstToken + begin[row + 1];
    if (from == to) continue;
    const bool alone = to - from <= pieceRows;
    const std::int32_t group = alone ? -1 : firstGroup + static_cast<std::int32_t>(lists.groups.size());
    if (!alone) {
      lists.groups.push_back({from, to, firstPartial, 0});
      firstPartial += (to - from + pieceRows - 1) / pieceRows;
    }
    for (std::int32_t at = from; at < to; at += pieceRows)
      lists.pieces.push_back({static_cast<std::int32_t>(row), at, std::min(at + pieceRows, to), group});
  }
  lists.order.resize(rowOf.size());
  for (std::int32_t t = 0; t < tokens; ++t)
    lists.order[static_cast<std::size_t>(begin[static_cast<std::size_t>(rowOf[static_cast<std::size_t>(t)])]++)] = t;
  return lists;
}

/// A block a piece and stretch of columns.
template <int kVector>
struct EmbeddingBackward {
  static constexpr int kThreads = 128;
  static constexpr int kColumns = kThreads * kVector;  // at most, of a block
  static constexpr const char* kName = "embedding backward";
  float *tokenTable, *positionTable;
  const float* dx;
  const std::int32_t* order;
  const Piece* pieces;
  const PieceGroup* groups;
  float* partials;
  int* counters;
  int tokenPieces;  // the pieces of the position table follow them
  int pieceRows, width;

  MOE_DEVICE void operator()() const {
    const Piece piece = pieces[block().x];
    if (piece.row < 0) return;
    float* const room = shared<float>();
    const int from = block().y * kColumns, columns = width - from < kColumns ? width - from : kColumns;
    float* const table = block().x < tokenPieces ? tokenTable : positionTable;
    float* const row = table + static_cast<std::int64_t>(piece.row) * width + from;
    const auto addToRow = [&](int i, const float(&sum)[kVector]) {
      float values[kVector];
      load(values, row + i);
      addTo(values, sum);
      store(row + i, values);
    };
    const auto token = [&](int r) { return dx + static_cast<std::int64_t>(order[piece.begin + r]) * width + from; };
    if (piece.group < 0) return sumRows<kVector, kThreads>(piece.end - piece.begin, columns, room, token, addToRow);

    const PieceGroup group = groups[piece.group];
    const auto partial = [&](int r) { return partials + static_cast<std::int64_t>(group.partial + r) * width + from; };
    float* const mine = partial((piece.begin - group.begin) / pieceRows);
    sumRows<kVector, kThreads>(piece.end - piece.begin, columns, room, token,
                               [&](int i, const float(&sum)[kVector]) { store(mine + i, sum); });
    const int count = (group.end - group.begin + pieceRows - 1) / pieceRows;
    if (!arrivedLast(counters + piece.group * blocks().y + block().y, count)) return;
    sumRows<kVector, kThreads>(count, columns, room, partial, addToRow);
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
  float* const out = at<float>(x);
  const float *const token = at<float>(tokenTable), *const position = at<float>(positionTable);
  const std::int32_t* const read = queue().constant(ids);
  const std::int32_t* const readPositions = position == nullptr ? nullptr : queue().constant(positions);
  const auto tokens = static_cast<int>(ids.size());
  const auto launch = [&]<int kVector>() {
    using Kernel = Embedding<kVector>;
    queue().launch<Kernel>({(tokens + 7) / 8}, 0, out, token, position, read, readPositions, tokens,
                           static_cast<int>(width));
  };
  inFours(width, {out, token, position}) ? launch.operator()<4>() : launch.operator()<1>();
}

void CudaBackend::embeddingBackward(const TensorView& dTokenTable, const TensorView& dPositionTable,
                                    const TensorView& dx, std::span<const std::int32_t> ids,
                                    std::span<const std::int32_t> positions) {
  const auto timed = queue().time("embedding backward");
  const std::int64_t width = dTokenTable.shape[1];
  assert(dx.elements() == static_cast<std::int64_t>(ids.size()) * width);
  assert(dPositionTable.empty() || (positions.size() == ids.size() && dPositionTable.shape[1] == width));
  if (dx.empty()) return;
  written(dTokenTable);
  const bool withPositions = !dPositionTable.empty();
  if (withPositions) written(dPositionTable);
  float *const token = at<float>(dTokenTable), *const position = withPositions ? at<float>(dPositionTable) : nullptr;
  const float* const in = at<float>(dx);
  const auto launch = [&]<int kVector>() {
    using Kernel = EmbeddingBackward<kVector>;
    const auto tokens = static_cast<std::int64_t>(ids.size());
    const auto stretches = static_cast<int>((width + Kernel::kColumns - 1) / Kernel::kColumns);
    // A row in several pieces has fewer than 2 tokens / pieceRows of them, and so have all rows of a table together.
    std::int64_t pieceRows = 32;
    const auto mostPartials = [&] { return 2 * tokens / pieceRows; };
    while (2 * mostPartials() * stretches > Queue::kCounters) pieceRows *= 2;
    const auto mostPieces = [&](const TensorView& table) {
      return static_cast<std::size_t>(std::min(table.shape[0], tokens) + tokens / pieceRows);
    };
    PieceLists lists = listPieces(ids, dTokenTable.shape[0], static_cast<int>(pieceRows), 0, 0, 0);
    assert(lists.pieces.size() <= mostPieces(dTokenTable));
    const std::size_t tokenPieces = mostPieces(dTokenTable);
    lists.pieces.resize(tokenPieces, {-1, 0, 0, -1});
    if (withPositions) {
      const auto more = listPieces(positions, dPositionTable.shape[0], static_cast<int>(pieceRows),
                                   static_cast<int>(lists.groups.size()), static_cast<int>(mostPartials()),
                                   static_cast<std::int32_t>(tokens));
      assert(more.pieces.size() <= mostPieces(dPositionTable));
      lists.order.insert(lists.order.end(), more.order.begin(), more.order.end());
      lists.pieces.insert(lists.pieces.end(), more.pieces.begin(), more.pieces.end());
      lists.groups.insert(lists.groups.end(), more.groups.begin(), more.groups.end());
      lists.pieces.resize(tokenPieces + mostPieces(dPositionTable), {-1, 0, 0, -1});
    }
    lists.groups.resize(static_cast<std::size_t>(2 * mostPartials()));  // the next constant's address must not move
    Scratch::Frame frame(scratch());
    float* const partials = frame.take<float>(2 * mostPartials() * width);
    const std::int32_t* const order = queue().constant(std::span<const std::int32_t>(lists.order));
    const Piece* const pieces = queue().constant(std::span<const Piece>(lists.pieces));
    const PieceGroup* const groups = queue().constant(std::span<const PieceGroup>(lists.groups));
    queue().launch<Kernel>({static_cast<int>(lists.pieces.size()), stretches}, kSumRowsBytes<kVector, Kernel::kThreads>,
                           token, position, in, order, pieces, groups, partials, queue().counters(),
                           static_cast<int>(tokenPieces), static_cast<int>(pieceRows), static_cast<int>(width));
  };
  inFours(width, {token, position, in}) ? launch.operator()<4>() : launch.operator()<1>();
}

}  // namespace moe::cuda
