#pragma once
#include <cstdint>
#include <span>

#include "core/backend/backend.h"

namespace moe::reference {

// The definition of Backend::experts and expertsBackward: plain loops, sums in f64, S = float or double.
// `saved` holds one row of 2 * max F pre-activations (gate, then up) for each assignment of the dispatch.

std::int64_t expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments);
/// Numbers of working memory, zeroed by the caller, that either function takes.
std::int64_t expertsWorkElements(const ExpertsSpec& spec, std::int64_t tokens);

template <class S>
void expertsForward(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
                    const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep, bool accumulate,
                    std::span<double> work);

template <class S>
void expertsBackward(const TensorView& dx, const ExpertsWeights& dWeights, std::span<double> dAssignment,
                     const TensorView& dy, const TensorView& x, const TensorView& saved, const Dispatch& dispatch,
                     const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
                     Gradients gradients, std::span<double> work);

}  // namespace moe::reference
