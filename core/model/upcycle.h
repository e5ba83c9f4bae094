#pragma once
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "core/model/model.h"

namespace moe {

/// Why a dense model's weights cannot become those of `model`; empty: they can. Paths are settings of `model`.
std::vector<Problem> upcyclingProblems(const ModelConfig& model, const ModelConfig& dense);

/// Sparse upcycling (arXiv 2212.05055) of an initialised model: every tensor both have is the dense model's, each expert
/// is made of its layer's dense feed-forward as recipe.experts.init says, and the router is drawn anew, N(0, 0.02).
/// Shared experts and a dense residual, which the dense model has not, keep their fresh weights. `find` gives the dense
/// model's tensors (f32 or f64, host memory) by name. Throws Error("checkpoint") for one that is missing or of another
/// shape; upcyclingProblems must be empty.
void upcycle(Model& model, const ModelConfig& dense, const std::function<TensorView(std::string_view)>& find,
             std::uint64_t seed);

}  // namespace moe
