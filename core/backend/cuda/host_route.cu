#include "core/backend/cuda/host_route.h"

#include <list>

#include "core/backend/cuda/cuda_backend.h"
#include "core/router/pipeline.h"

namespace moe::cuda {
namespace {

/// A routing input whose views the host may read.
class HostInput {
 public:
  /// wholly: x and the router's weights too, where more than the product of logits reads them.
  HostInput(CudaBackend& backend, const RoutingInput& input, bool wholly) : backend_(backend), input_(input) {
    for (TensorView* view :
         {&input_.givenLogits, &input_.draws.inputJitter, &input_.draws.noise, &input_.draws.keepExpert,
          &input_.draws.randomSecond, &input_.draws.forceToken, &input_.draws.forceExpert})
      fetch(*view);
    if (!input_.deviceSelectionBias.empty()) {
      TensorView bias = std::exchange(input_.deviceSelectionBias, {});
      fetch(bias);
      input_.selectionBias = std::span<const float>(bias.span<float>());
    }
    if (!wholly) return;
    for (TensorView* view : {&input_.x, &input_.weights.weight, &input_.weights.bias, &input_.weights.noiseWeight})
      fetch(*view);
  }
  const RoutingInput& input() const { return input_; }

 private:
  void fetch(TensorView& view) {
    if (view.empty() || view.device == Device::host) return;
    copies_.push_back(backend_.read(view));
    view = copies_.back().view();
  }

  CudaBackend& backend_;
  RoutingInput input_;
  std::list<HostCopy> copies_;
};

/// Whether stages beside the product of logits read the router's input.
bool readsInput(const Recipe& recipe, const RoutingInput& input) {
  return !input.draws.inputJitter.empty() || recipe.perturb.noise == Recipe::Perturb::Noise::learned;
}

/// Adds the host's numbers to the device's.
void addFrom(CudaBackend& backend, const TensorView& out, const Tensor& host) {
  if (out.empty()) return;
  const Tensor there = backend.allocate(out.shape, out.dtype);
  backend.copy(there, host);
  backend.add(out, there);
}

}  // namespace

void routeOnHost(CudaBackend& backend, Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  routing.device.reset();
  routing.dispatch.device.reset();
  const bool wholly = readsInput(recipe, input);
  const HostInput host(backend, input, wholly);
  prepareRouting(routing, recipe, host.input());
  if (wholly) {
    computeLogits(routing, recipe, host.input());
  } else if (input.givenLogits.empty() && !routing.logits.empty()) {
    const Tensor logits = backend.allocate(routing.logits.shape(), DType::f32);
    backend.exactLinear(logits, input.x, input.weights.weight, input.weights.bias);
    backend.copy(routing.logits, logits);
  }
  routeFromLogits(routing, recipe, host.input());
}

void routeBackwardOnHost(CudaBackend& backend, const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                         const Recipe& recipe, const RoutingInput& input, const TensorView& dAssignment) {
  const bool wholly = readsInput(recipe, input);
  const HostInput host(backend, input, wholly);
  const HostCopy slopes = backend.read(dAssignment);
  std::span<const double> inOrder;
  if (!dAssignment.empty())
    inOrder = slopes.span<double>().first(static_cast<std::size_t>(routing.dispatch.assignments()));
  routeBackwardToLogits(routing, recipe, host.input(), inOrder);
  if (routing.logits.empty() || input.x.empty()) return;
  if (!wholly) {
    if (!input.givenLogits.empty()) return;
    const Tensor dLogits = backend.allocate(routing.gradients.logits.shape(), DType::f32);
    backend.copy(dLogits, routing.gradients.logits);
    backend.exactLinearBackward(dx, dWeights.weight, dWeights.bias, dLogits, input.x, input.weights.weight);
    return;
  }
  const auto zeros = [](const TensorView& like) {
    return like.empty() ? Tensor() : hostTensor(like.shape, like.dtype);
  };
  const Tensor weight = zeros(dWeights.weight), bias = zeros(dWeights.bias), noise = zeros(dWeights.noiseWeight),
               into = zeros(dx);
  backwardFromLogits({weight, bias, noise}, into, routing, host.input());
  addFrom(backend, dWeights.weight, weight);
  addFrom(backend, dWeights.bias, bias);
  addFrom(backend, dWeights.noiseWeight, noise);
  addFrom(backend, dx, into);
}

}  // namespace moe::cuda
