#pragma once
#include <cstdint>

#include "core/backend/ops/experts.h"
#include "core/backend/ops/gradients.h"
#include "core/model/activations.h"
#include "core/model/moe_segments.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

class Backend;

/// Whether backward also measures what each balance term alone does to the router's weights; `begin` forgets what was.
/// What is measured changes no gradient of the model.
enum class BalancerWatch { off, begin, goOn };

/// What one pass of an MoE feed-forward reads.
struct MoeInput {
  TensorView x;  // (T, D) what the router and the experts read: normed, and of the branch block.moe_reads says
  TensorView postAttention;  // (T, D) u, read by the dense residual through its own norm; empty without one
  RoutingInput routing;      // ids, bias, draws, phase, step ...; x and weights are filled in by the layer
  TensorView keepHidden;     // (T, max F) 1 = kept (combine.expert_dropout); empty: no dropout
  BalancerWatch watch = BalancerWatch::off;
  Gradients gradients = Gradients::add;  // of every bank and the shared gate; the router's and the norm's: added to
};

/// What reaches a layer's router weights (weight, bias, noise weight together): Euclidean norms of gradients summed over
/// the passes watched.
struct BalancerGradient {
  double balance = 0;         // of sum of coefficient * value over this layer's terms, z left out
  std::vector<double> terms;  // of each coefficient * value
};

/// Euclidean norm of the gradients of a router's weight, bias and noise weight together. Waits.
double gradientNorm(Backend& backend, const RouterWeights& gradients);

/// Fills `out` (T, max F), on the host, with the draws of expert dropout: 1 with probability 1 - rate, else 0. Row r is
/// token firstToken + r.
void fillKeepHidden(const TensorView& out, double rate, std::uint64_t seed, std::int64_t step, std::uint32_t layer,
                    std::uint32_t firstToken);

/// One MoE feed-forward: routing, routed experts, shared experts, dense residual. Weights belong to the caller.
/// Belongs to the backend's thread.
class MoeLayer {
 public:
  MoeLayer(Backend& backend, const Recipe& recipe, std::int64_t width);

  /// Replaces settings that keep every weight's shape.
  void reconfigure(const Recipe& recipe);
  const Recipe& recipe() const { return recipe_; }

  /// y (T, O) = the branch's output, without the block's residual. What backward reads stays in `memory`.
  void forward(const TensorView& y, const MoeInput& input, const MoeWeights& weights, Activations& memory);
  /// The same once more, on the routing of the last forward: its activations, which were released, come back.
  void forwardAgain(const TensorView& y, const MoeInput& input, const MoeWeights& weights, Activations& memory);
  /// After `forward` with the same input and weights, and after `finishBalance` over every layer where the recipe has
  /// balance terms. dx and dPostAttention (may be empty without dense residual) are added to, gradients as the input
  /// says.
  void backward(const MoeWeights& gradients, const TensorView& dx, const TensorView& dPostAttention,
                const TensorView& dy, const MoeInput& input, const MoeWeights& weights, Activations& memory);

  /// Of the backward passes since BalancerWatch::begin. Waits.
  BalancerGradient balancerGradient() const;

  const Routing& routing() const { return routing_; }
  Routing& routing() { return routing_; }
  /// (T, 1) sigmoid(w_s . x) of the last forward; empty without shared.token_gate.
  TensorView sharedGate() const { return gate_; }
  /// Columns of MoeInput::keepHidden.
  std::int64_t widestHidden() const;

 private:
  void watchBalancer(const RouterWeights& like, const MoeInput& input, const RoutingInput& routing);
  /// Assignments that the routed experts' forward must have room for.
  std::int64_t mostAssignments() const;
  /// What a bank leaves to its backward; nothing where a token is generated.
  TensorView savedFor(const ExpertsSpec& spec, std::int64_t assignments, const MoeInput& input,
                      Activations& memory) const;
  void forwardShared(const TensorView& y, const MoeInput& input, const MoeWeights& weights, Activations& memory);
  void backwardShared(const MoeWeights& gradients, const TensorView& dx, const TensorView& dy, const MoeInput& input,
                      const MoeWeights& weights, Activations& memory);
  void forwardDense(const TensorView& y, const MoeInput& input, const MoeWeights& weights, Activations& memory);
  void backwardDense(const MoeWeights& gradients, const TensorView& dPostAttention, const TensorView& dy,
                     const MoeInput& input, const MoeWeights& weights, Activations& memory);

  Backend& backend_;
  Recipe recipe_;
  std::int64_t width_ = 0;
  ExpertsSpec spec_, sharedSpec_, denseSpec_;
  Routing routing_;
  Tensor dAssignment_;  // (at least A) f64, routed
  struct TermGradient {
    Tensor weight, bias, noiseWeight;  // as RouterWeights
    double scale = 0;                  // coefficient * loss scale
  };
  std::vector<TermGradient> termGradients_;  // of the bare values, one a balance term
  TensorView saved_;
  Dispatch sharedDispatch_, denseDispatch_;  // every token
  TensorView sharedSaved_, denseSaved_;
  TensorView gate_;                          // (T, 1) sigmoid(w_s . x)
  Tensor dShared_;                           // (at least T * count) f64
  TensorView denseInput_, denseStatistics_;  // (T, D) normed, (T, 2)
};

}  // namespace moe
