#pragma once
#include <functional>

#include "core/model/moe_segments.h"
#include "core/tensor/philox.h"
#include "core/tensor/tensor.h"

namespace moe {

class Backend;

/// Lets `change` work on a bank's weights on the host, wherever they are.
void changeOnHost(Backend& backend, const ExpertsWeights& bank,
                  const std::function<void(const ExpertsWeights&)>& change);

/// Makes experts of a dense feed-forward (sparse upcycling, arXiv 2212.05055). denseCopy: each expert is the dense one,
/// and has its hidden width. denseSlice: expert e is its e-th hidden units; it has at least as many as the experts
/// together. `noise`: standard deviation of what is added to each weight matrix, as a share of that of the dense
/// matrix. Host memory, f32 or f64.
void expertsFromDense(const ExpertsWeights& bank, const ExpertsSpec& spec, const ExpertsWeights& dense,
                      std::int64_t denseHidden, Recipe::Experts::Init init, double noise, const RandomKey& key);

/// The same for a fresh layer, whose bank holds random draws: the dense feed-forward is expert 0 (denseCopy), or the
/// bank itself, whose experts are its slices (denseSlice). Nothing to do for random.
void initialiseExperts(const ExpertsWeights& bank, const ExpertsSpec& spec, const Recipe::Experts& experts,
                       const RandomKey& key);

}  // namespace moe
