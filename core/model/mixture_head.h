#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/backend/ops/experts.h"
#include "core/backend/ops/gradients.h"
#include "core/model/moe_segments.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

class Backend;

/// What the mixture is asked for: d of each token (gaussian), or the id of its next token, negative where masked.
struct MixtureTarget {
  TensorView values;                  // (T, O) gaussian, on the host
  std::span<const std::int32_t> ids;  // (T) categorical
};

/// Gradients of a mixture loss: of the experts' shares p and of what they put out.
struct MixtureGradients {
  std::vector<double> shares;   // (T, E)
  std::vector<double> outputs;  // (E, T, O)
};

/// Posterior h (T, E): share of expert i in the likelihood of its token's target.
std::vector<double> mixturePosterior(Recipe::Head::Density density, std::span<const double> shares,
                                     std::span<const double> outputs, const MixtureTarget& target,
                                     std::int64_t experts);

/// Mean over the tokens that have a target of one form of loss (Jacobs et al. 1991, eq. 1.1 to 1.3, and their
/// categorical twins); `scale` times its gradients are added to `gradients` unless null. shares (T, E), outputs (E, T,
/// O).
double mixtureLoss(Recipe::Head::Form form, Recipe::Head::Density density, std::span<const double> shares,
                   std::span<const double> outputs, const MixtureTarget& target, std::int64_t experts, double scale,
                   MixtureGradients* gradients);

/// The mixture of 1991 as a head over the last hidden state: every expert maps it to outputs of its own, and the losses
/// of recipe.head weigh whole predictions, not outputs. Select `all`, weigh `score`. Belongs to the backend's thread.
class MixtureHead {
 public:
  MixtureHead(Backend& backend, const Recipe& recipe, std::int64_t width);

  /// Shares and outputs of x (T, D). `routing`: draws, phase, step.
  void forward(const TensorView& x, const RoutingInput& routing, const MoeWeights& weights);
  /// Value of each loss of recipe.head, without its coefficient.
  std::vector<double> losses(const MixtureTarget& target) const;
  /// Adds the gradients of sum of coefficients[i] * loss i, and of the balance terms.
  void backward(const MoeWeights& gradients, const TensorView& dx, const MixtureTarget& target,
                std::span<const double> coefficients, const TensorView& x, const RoutingInput& routing,
                const MoeWeights& weights);

  Routing& routing() { return routing_; }
  std::span<const double> shares() const { return shares_; }    // (T, E)
  std::span<const double> outputs() const { return outputs_; }  // (E, T, O)

 private:
  Backend& backend_;
  Recipe recipe_;
  ExpertsSpec spec_;
  Routing routing_;
  Dispatch everyToken_;              // one expert, all tokens
  Tensor expertOutputs_, dOutputs_;  // (E, T, O)
  Tensor saved_;                     // (E, saved of one expert)
  std::vector<double> shares_, outputs_;
  Tensor dAssignment_;  // (at least A) f64
  MixtureGradients gradients_;
};

}  // namespace moe
