#pragma once
#include "core/backend/backend.h"
#include "core/backend/operation_timer.h"

namespace moe {

/// What backends of the host's processor share: they complete at once, and what is small beside a product is the same
/// plain code in all of them.
class CpuBackend : public Backend {
 public:
  void synchronize() override {}

  void finishBalance(const TensorView& totals, std::span<Routing* const> layers, const Recipe& recipe,
                     const GlobalBatchStatistics* global) override;
  void summarise(const TensorView& out, const Routing& routing, const Recipe& recipe, bool measuring) override;
  void updateSelectionBias(const TensorView& bias, const TensorView& counts,
                           const Recipe::Adjust::SelectionBias& rule) override;

  void sum(const TensorView& out, const TensorView& in) override;
  void scaleGradients(const TensorView& update, const TensorView& squares, const TensorView& loss,
                      double clip) override;

  void setProfiling(bool on) override { timer_.setOn(on); }
  std::vector<OperationTime> profile() const override { return timer_.times(); }

 protected:
  /// The A gradients that stand at the front of a dAssignment; none where it is empty.
  static std::span<double> inDispatchOrder(const TensorView& dAssignment, const Dispatch& dispatch);
  /// What adamw multiplies gradients by.
  static double gradientScale(const TensorView& update) { return update.empty() ? 1 : update.as<double>()[1]; }

  OperationTimer timer_;

 private:
  Routing unbiased_;                  // the same tokens selected without the selection bias
  std::vector<std::int64_t> counts_;  // (E)
};

}  // namespace moe
