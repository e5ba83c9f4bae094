#pragma once
#include "core/backend/cpu_backend.h"

namespace moe {

/// The definition of every operation: plain loops on one thread, f32 and f64 views. Sums run in f64 in index order, so
/// an f32 result carries little more than its own rounding.
class ReferenceBackend : public CpuBackend {
 public:
  /// f32 or f64; only told to those who ask: the views' dtype decides.
  explicit ReferenceBackend(DType computeType = DType::f32) : computeType_(computeType) {}

  std::string name() const override { return "reference"; }
  int threads() const override { return 1; }
  void setThreads(int) override {}  // loops of one thread: the definition
  DType computeType() const override { return computeType_; }

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
  void parametersChanged(const TensorView&) override {}

 private:
  /// At least `elements` numbers of working memory, zeroed; valid until the next call. Grows only.
  std::span<double> scratch(std::int64_t elements);

  DType computeType_;
  std::vector<double> scratch_;
};

}  // namespace moe
