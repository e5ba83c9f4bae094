#pragma once
// The definition of core/backend/reference on a GPU. One .cu an operation, kernels and their host half together; all it
// asks of the device goes through Queue. f32, or bf16 products with f32 sums over f32 tensors (Bf16Copies). Sums have a
// fixed order: equal seeds on an equal device give equal bits.
#include <cassert>
#include <map>
#include <memory>
#include <tuple>

#include "core/backend/backend.h"
#include "core/backend/cuda/bf16_copies.h"
#include "core/backend/cuda/dispatch_tables.h"
#include "core/backend/cuda/queue.h"
#include "core/backend/cuda/scratch.h"
#include "core/base/error.h"

namespace moe::cuda {

/// Device pointer of a view; null where it is empty.
template <class T>
T* at(const TensorView& view) {
  assert(view.empty() || (view.dtype == DTypeOf<T>::value && view.device == Device::cuda));
  return view.elements() == 0 ? nullptr : static_cast<T*>(view.data);
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::unique_ptr<Runtime> runtime, DType computeType);
  ~CudaBackend() override;

  std::string name() const override { return moduleName(); }
  int threads() const override { return 1; }
  void setThreads(int) override {}
  DType computeType() const override { return computeType_; }

  Tensor allocate(Shape shape, DType dtype) override;
  Tensor allocateHost(Shape shape, DType dtype) override;
  Ticket submit() override { return queue().submit(); }
  void wait(Ticket ticket) override { queue().wait(ticket); }
  void synchronize() override { queue().synchronize(); }
  HostCopy read(const TensorView& view) override;
  void fill(const TensorView& out, double value) override;
  void copy(const TensorView& out, const TensorView& in) override;
  void add(const TensorView& out, const TensorView& in) override;

  void embedding(const TensorView& x, const TensorView& tokenTable, const TensorView& positionTable,
                 std::span<const std::int32_t> ids, std::span<const std::int32_t> positions) override;
  void embeddingBackward(const TensorView& dTokenTable, const TensorView& dPositionTable, const TensorView& dx,
                         std::span<const std::int32_t> ids, std::span<const std::int32_t> positions) override;

  void norm(const TensorView& y, const TensorView& statistics, const TensorView& x, const TensorView& weight,
            const TensorView& bias, NormKind kind, double epsilon) override;
  void normBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias, const TensorView& dy,
                    const TensorView& x, const TensorView& statistics, const TensorView& weight,
                    NormKind kind) override;

  void linear(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
              bool accumulate) override;
  void linearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias, const TensorView& dy,
                      const TensorView& x, const TensorView& weight, bool accumulateDx, Gradients gradients) override;

  std::int64_t attentionSavedElements(const AttentionSpec& spec) const override;
  void attention(const TensorView& out, const TensorView& saved, const TensorView& qkv,
                 const AttentionSpec& spec) override;
  void attentionBackward(const TensorView& dQkv, const TensorView& dOut, const TensorView& out, const TensorView& saved,
                         const TensorView& qkv, const AttentionSpec& spec) override;
  void attentionNext(const TensorView& out, const KeyValueCache& cache, const TensorView& qkv,
                     const AttentionSpec& spec, std::int64_t position) override;

  void route(Routing& routing, const Recipe& recipe, const RoutingInput& input) override;
  void routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing, const Recipe& recipe,
                     const RoutingInput& input, const TensorView& dAssignment) override;
  void finishBalance(const TensorView& totals, std::span<Routing* const> layers, const Recipe& recipe,
                     const GlobalBatchStatistics* global) override;
  void summarise(const TensorView& out, const Routing& routing, const Recipe& recipe, bool measuring) override;
  void updateSelectionBias(const TensorView& bias, const TensorView& counts,
                           const Recipe::Adjust::SelectionBias& rule) override;
  void read(Routing& routing) override;

  std::int64_t expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments) const override;
  void experts(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
               const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
               bool accumulate) override;
  void expertsBackward(const TensorView& dx, const ExpertsWeights& dWeights, const TensorView& dAssignment,
                       const TensorView& dy, const TensorView& x, const TensorView& saved, const Dispatch& dispatch,
                       const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
                       Gradients gradients) override;

  void crossEntropy(const TensorView& losses, const TensorView& logits, std::span<const std::int32_t> targets,
                    double gradientScale) override;

  void sum(const TensorView& out, const TensorView& in) override;
  void sumOfSquares(const TensorView& out, std::span<const TensorView> in) override;
  void scaleGradients(const TensorView& update, const TensorView& squares, const TensorView& loss,
                      double clip) override;
  void adamw(std::span<const AdamWPart> parts, const AdamWSettings& settings, const TensorView& update) override;
  void parametersChanged(const TensorView& parameter) override { written(parameter); }

  void setProfiling(bool on) override { queue().setProfiling(on); }
  std::vector<OperationTime> profile() const override { return device_->queue.profile(); }

  /// linear in f32 whatever the compute type: the router's own. Backward adds to all three.
  void exactLinear(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias);
  void exactLinearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                           const TensorView& dy, const TensorView& x, const TensorView& weight);

  /// For tests: stands still once steps repeat.
  std::int64_t graphsMade() const { return device_->queue.graphsMade(); }

 private:
  /// Outlives the backend while a tensor of it does.
  struct DeviceState {
    explicit DeviceState(std::unique_ptr<Runtime> runtime) : queue(std::move(runtime)), copies(queue), scratch(queue) {}
    Queue queue;
    Bf16Copies copies;
    Scratch scratch;
  };

  Queue& queue() { return device_->queue; }
  Scratch& scratch() { return device_->scratch; }
  Bf16Copies& copies() { return device_->copies; }
  bool bf16() const { return computeType_ == DType::bf16 && !exact_; }
  /// Every operation says so of each view that it writes, before it asks for `copies().writing`.
  void written(const TensorView& view) { device_->copies.written(view); }
  /// Blocks of kThreads for n elements that a kernel's loop strides over: no more than fill the device.
  int blocksFor(std::int64_t n, int threads) const {
    return static_cast<int>(std::min<std::int64_t>((n + threads - 1) / threads, 8 * device_->queue.multiprocessors()));
  }

  /// The dispatch's tables on the device, wherever they are now. A host's list is uploaded for the current submit.
  DispatchView tablesOf(const Dispatch& dispatch);
  /// What attention's rotary positions turn by, (at least length, headWidth): cosines, then sines. Null without them.
  const float* rotations(const AttentionSpec& spec);

  std::shared_ptr<DeviceState> device_;
  DType computeType_;
  bool exact_ = false;                                           // within exactLinear
  Routing unbiased_;                                             // room of moe::summarise
  std::map<std::pair<double, std::int64_t>, Tensor> rotations_;  // by (theta, headWidth)
};

}  // namespace moe::cuda
