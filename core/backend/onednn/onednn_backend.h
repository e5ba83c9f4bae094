#pragma once
#include "core/backend/backend.h"
#include "core/backend/onednn/experts_plan.h"
#include "core/backend/onednn/scratch.h"
#include "core/backend/operation_timer.h"

namespace moe {

/// The fast CPU backend: f32 views on one OpenMP team of a given size. An operation is one parallel region whose tasks
/// own disjoint outputs, with oneDNN's single-threaded GEMM inside; no sum's order depends on timing.
/// Thread rule: one thread calls it, as with every Backend.
class OnednnBackend : public Backend {
 public:
  /// threads 0: as many as there are cores.
  explicit OnednnBackend(int threads);

  std::string name() const override { return "onednn"; }
  int threads() const override { return threads_; }
  DType computeType() const override { return DType::f32; }

  Tensor allocate(Shape shape, DType dtype) override;
  void synchronize() override {}
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
                      const TensorView& x, const TensorView& weight, bool accumulateDx) override;

  std::int64_t attentionSavedElements(const AttentionSpec& spec) const override;
  void attention(const TensorView& out, const TensorView& saved, const TensorView& qkv,
                 const AttentionSpec& spec) override;
  void attentionBackward(const TensorView& dQkv, const TensorView& dOut, const TensorView& out, const TensorView& saved,
                         const TensorView& qkv, const AttentionSpec& spec) override;
  void attentionNext(const TensorView& out, const KeyValueCache& cache, const TensorView& qkv,
                     const AttentionSpec& spec, std::int64_t position) override;

  void route(Routing& routing, const Recipe& recipe, const RoutingInput& input) override;
  void routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing, const Recipe& recipe,
                     const RoutingInput& input, std::span<const double> dAssignment) override;

  std::int64_t expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments) const override;
  void experts(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
               const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
               bool accumulate) override;
  void expertsBackward(const TensorView& dx, const ExpertsWeights& dWeights, std::span<double> dAssignment,
                       const TensorView& dy, const TensorView& x, const TensorView& saved, const Dispatch& dispatch,
                       const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep) override;

  void crossEntropy(const TensorView& losses, const TensorView& logits, std::span<const std::int32_t> targets,
                    double gradientScale) override;

  void sumOfSquares(const TensorView& out, const TensorView& in) override;
  void adamw(const TensorView& parameter, const TensorView& m, const TensorView& v, const TensorView& gradient,
             const AdamWSettings& settings) override;
  void parametersChanged(const TensorView&) override {}

  void setProfiling(bool on) override { timer_.setOn(on); }
  std::vector<OperationTime> profile() const override { return timer_.times(); }

  /// How often working memory was allocated so far: constant after the first steps.
  std::int64_t scratchAllocations() const { return scratch_.allocations(); }

 private:
  // linear and linearBackward, not timed: the router's products count as routing.
  void multiply(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
                bool accumulate);
  void multiplyBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias, const TensorView& dy,
                        const TensorView& x, const TensorView& weight, bool accumulateDx);
  /// Threads worth waking for this many f32 read and written: a region costs some microseconds.
  int threadsFor(std::int64_t elements) const { return elements < 16384 ? 1 : threads_; }
  /// cos and sin of position * frequency: (length, headWidth), first half cosines. Kept until the settings change.
  const float* rotations(const AttentionSpec& spec, std::int64_t length);

  int threads_;
  OperationTimer timer_;
  Scratch scratch_;
  std::vector<float> rotations_;
  double rotationTheta_ = 0;
  std::int64_t rotationWidth_ = 0;
  std::vector<ExpertTask> tasks_, gradientTasks_;
  std::vector<double> partialSums_;
};

}  // namespace moe
