#pragma once
// Shared by the balance stage's forward and backward.
#include <span>

#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// Squared coefficient of variation: population variance / (mean^2 + epsilon), and its slope by each value.
double squaredVariation(std::span<double> slope, std::span<const double> values, double epsilon);

/// load_cv2: sums (E) of Phi((z - h) / sigma), h = the k-th largest of the token's noisy logits without e. Where there
/// is no noise (another phase, annealed away) Phi is a step.
template <class S>
void smoothLoad(std::span<double> sums, const Routing& routing, const Recipe& recipe, const RoutingInput& input);
/// From d(loss)/d(sums) to z, the threshold's noisy logit and the deviation.
template <class S>
void smoothLoadBackward(Routing& routing, const Recipe& recipe, const RoutingInput& input,
                        std::span<const double> dSums, double scale);

}  // namespace moe
