#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/backend/ops/experts.h"
#include "core/model/segment_place.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// One named weight of an MoE feed-forward. The model puts its layer's prefix before the name.
struct MoeSegment {
  enum class Kind { router, matrix, bias, norm };  // says how it is initialised: norm = 1, bias = 0, the rest drawn
  std::string name;                                // "router.weight", "experts.down" ...
  Shape shape;
  Kind kind = Kind::matrix;
  SegmentPart part = SegmentPart::experts;
  SegmentRole role = SegmentRole::weight;
};

/// Every segment of the layer in a fixed order. Experts of equal size have shapes [E, F, D] and [E, O, F]; of different
/// sizes (H, D) and (O*H), H = their hidden units together.
std::vector<MoeSegment> moeSegments(const Recipe& recipe, std::int64_t width);

/// The layer's weights, or their gradients, as the backend takes them. Empty where the recipe has none.
struct MoeWeights {
  RouterWeights router;
  ExpertsWeights experts;        // routed
  ExpertsWeights shared;         // always on
  TensorView tokenGate;          // (1, D) w_s
  ExpertsWeights denseResidual;  // a bank of one
  TensorView denseNorm;          // (D) the dense residual's own norm; empty: it reads its input as it is
};

/// Finds each segment by its name; `find` may answer an empty view for what it does not hold.
MoeWeights bindMoeWeights(const Recipe& recipe, std::int64_t width,
                          const std::function<TensorView(std::string_view)>& find);

/// The layer's routed bank.
ExpertsSpec expertsSpec(const Recipe& recipe, std::int64_t width);
/// Of combine.shared and combine.dense_residual; the recipe must have them.
ExpertsSpec sharedSpec(const Recipe& recipe, std::int64_t width);
ExpertsSpec denseResidualSpec(const Recipe& recipe, std::int64_t width);

/// Expert e alone, as a bank of one, and its weights inside the bank.
ExpertsSpec oneExpert(const ExpertsSpec& bank, std::int64_t e);
ExpertsWeights oneExpert(const ExpertsSpec& bank, const ExpertsWeights& weights, std::int64_t e);

}  // namespace moe
