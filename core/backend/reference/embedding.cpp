#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

template <class Scalar>
Scalar* rowOf(const TensorView& table, std::int32_t row) {
  assert(row >= 0 && row < table.shape[0]);
  return table.as<Scalar>() + row * table.shape.rowElements();
}

}  // namespace

void ReferenceBackend::embedding(const TensorView& x, const TensorView& tokenTable, const TensorView& positionTable,
                                 std::span<const std::int32_t> ids, std::span<const std::int32_t> positions) {
  const auto timed = timer_.time("embedding");
  const std::int64_t width = tokenTable.shape[1];
  assert(x.elements() == static_cast<std::int64_t>(ids.size()) * width);
  assert(positionTable.empty() || (positions.size() == ids.size() && positionTable.shape[1] == width));
  withScalar(x.dtype, [&]<class Scalar>() {
    Scalar* out = x.as<Scalar>();
    for (std::size_t t = 0; t < ids.size(); ++t, out += width) {
      const Scalar* token = rowOf<Scalar>(tokenTable, ids[t]);
      for (std::int64_t i = 0; i < width; ++i) out[i] = token[i];
      if (positionTable.empty()) continue;
      const Scalar* position = rowOf<Scalar>(positionTable, positions[t]);
      for (std::int64_t i = 0; i < width; ++i) out[i] += position[i];
    }
  });
}

void ReferenceBackend::embeddingBackward(const TensorView& dTokenTable, const TensorView& dPositionTable,
                                         const TensorView& dx, std::span<const std::int32_t> ids,
                                         std::span<const std::int32_t> positions) {
  const auto timed = timer_.time("embedding backward");
  const std::int64_t width = dTokenTable.shape[1];
  assert(dx.elements() == static_cast<std::int64_t>(ids.size()) * width);
  assert(dPositionTable.empty() || (positions.size() == ids.size() && dPositionTable.shape[1] == width));
  withScalar(dx.dtype, [&]<class Scalar>() {
    const Scalar* in = dx.as<Scalar>();
    for (std::size_t t = 0; t < ids.size(); ++t, in += width) {
      Scalar* token = rowOf<Scalar>(dTokenTable, ids[t]);
      for (std::int64_t i = 0; i < width; ++i) token[i] += in[i];
      if (dPositionTable.empty()) continue;
      Scalar* position = rowOf<Scalar>(dPositionTable, positions[t]);
      for (std::int64_t i = 0; i < width; ++i) position[i] += in[i];
    }
  });
}

}  // namespace moe
