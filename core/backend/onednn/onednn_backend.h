#pragma once
#include "core/backend/cpu_backend.h"
#include "core/backend/onednn/bf16_product.h"
#include "core/backend/onednn/bf16_weights.h"
#include "core/backend/onednn/experts_plan.h"
#include "core/backend/onednn/padded_rows.h"
#include "core/backend/onednn/scratch.h"

namespace moe {

class ExpertsBank;

/// The fast CPU backend: f32 views on one OpenMP team of a given size. An operation is one parallel region whose tasks
/// own disjoint outputs, with oneDNN's single-threaded GEMM inside; no sum's order depends on timing.
/// Thread rule: one thread calls it, as with every Backend.
class OnednnBackend : public CpuBackend {
 public:
  /// threads 0: as many as there are cores. computeType f32, or bf16 where hasBf16Products().
  explicit OnednnBackend(int threads, DType computeType = DType::f32);

  std::string name() const override { return "onednn"; }
  int threads() const override { return threads_; }
  void setThreads(int threads) override;
  DType computeType() const override { return bf16_ ? DType::bf16 : DType::f32; }

  Tensor allocate(Shape shape, DType dtype) override;
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

  void sumOfSquares(const TensorView& out, std::span<const TensorView> in) override;
  void adamw(std::span<const AdamWPart> parts, const AdamWSettings& settings, const TensorView& update) override;
  void parametersChanged(const TensorView& parameter) override { written(parameter); }

  /// How often working memory was allocated so far: constant after the first steps.
  std::int64_t scratchAllocations() const {
    return scratch_.allocations() + (bf16_ ? bf16_->weights->allocations() : 0);
  }
  /// How many oneDNN primitives were made so far: constant after the first steps. 0 in f32, where there are none.
  std::int64_t primitivesMade() const { return bf16_ ? bf16_->products.made() : 0; }

 private:
  /// What bf16 needs beside f32.
  struct Bf16 {
    explicit Bf16(int threads) : products(threads) {}
    Bf16Products products;
    std::shared_ptr<Bf16Weights> weights = std::make_shared<Bf16Weights>();  // outlives us in tensors' releases
    PaddedRows rows;
  };

  // linear and linearBackward, not timed: the router's products count as routing.
  void multiply(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
                bool accumulate);
  void multiplyBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias, const TensorView& dy,
                        const TensorView& x, const TensorView& weight, bool accumulateDx, Gradients gradients);
  /// experts, of which nothing is kept for backward, for one token: the whole team at each matrix.
  void expertsOfOneToken(const TensorView& y, const TensorView& x, const ExpertsBank& bank,
                         const ExpertsWeights& weights, bool accumulate);
  // The same in bf16, in files of their own.
  void multiplyBf16(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
                    bool accumulate);
  void multiplyBackwardBf16(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                            const TensorView& dy, const TensorView& x, const TensorView& weight, bool accumulateDx,
                            Gradients gradients);
  void expertsBf16(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
                   const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep, bool accumulate);
  void expertsBackwardBf16(const TensorView& dx, const ExpertsWeights& dWeights, std::span<double> dAssignment,
                           const TensorView& dy, const TensorView& x, const TensorView& saved, const Dispatch& dispatch,
                           const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
                           Gradients gradients);
  /// Whether a product of these sizes is computed in bf16.
  bool inBf16(std::int64_t rows, std::int64_t outputs, std::int64_t inputs) const {
    return bf16_ && bf16Pays(rows, outputs, inputs);
  }
  bool inBf16(const ExpertsSpec& spec, std::int64_t assignments) const {
    return bf16_ && spec.kind != ExpertKind::linear && bf16Pays(assignments, widestHidden(spec), spec.width);
  }
  /// The bf16 copy of a parameter.
  const BFloat16* narrow(const TensorView& weight);
  /// An operation other than adamw wrote here.
  void written(const TensorView& out) {
    if (bf16_) bf16_->weights->changed(out);
  }
  /// Threads worth waking for this many f32 read and written: a region costs some microseconds.
  int threadsFor(std::int64_t elements) const { return elements < 16384 ? 1 : threads_; }
  /// The same where this many weights meet a few rows: a quarter of a megabyte is read in the time of some regions.
  int threadsForWeights(std::int64_t elements) const { return threadsFor(elements / 4); }
  /// cos and sin of position * frequency: (length, headWidth), first half cosines. Kept until the settings change.
  const float* rotations(const AttentionSpec& spec, std::int64_t length);

  int threads_;
  Scratch scratch_;
  std::vector<float> rotations_;
  double rotationTheta_ = 0;
  std::int64_t rotationWidth_ = 0;
  std::vector<ExpertTask> tasks_, gradientTasks_;
  std::vector<double> partialSums_;
  std::unique_ptr<Bf16> bf16_;  // null: f32
};

}  // namespace moe
