#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/backend/backend.h"
#include "core/router/routing_summary.h"
#include "core/tensor/tensor.h"

namespace moe {

class Backend;

/// The numbers that a step leaves, as one row of f64 that the backend fills and the host gets in one copy: norm and scale
/// of the gradients, of each micro-batch its loss and balance terms, of each expert layer its summary. Two steps may be
/// on their way, so the host has two rows that take turns.
class StepResults {
 public:
  struct Layout {
    std::int64_t microBatches = 1, terms = 0;
    std::vector<std::int64_t> summaries;  // (expert layers) of RoutingSummary::size
    bool operator==(const Layout&) const = default;
  };
  /// Keeps the addresses where the layout is the same.
  void fit(Backend& backend, Layout layout);

  // On the backend's device.
  TensorView update() const { return part(0, 2); }                           // (2) Backend::scaleGradients
  TensorView losses() const { return part(losses_, layout_.microBatches); }  // (micro-batches)
  TensorView loss(std::int64_t micro) const { return part(losses_ + micro, 1); }
  TensorView balance(std::int64_t micro) const;  // (2 + terms) Backend::finishBalance
  TensorView summary(std::size_t layer) const { return part(summaries_[layer], layout_.summaries[layer]); }

  /// Asks for the copy into row `turn`, 0 or 1; it is there after the wait for what is submitted next.
  void copyToHost(Backend& backend, std::size_t turn) const { backend.copy(host_[turn], device_); }

  // On the host.
  const Layout& layout() const { return layout_; }
  std::span<double> updateOf(std::size_t turn) const { return hostPart(turn, 0, 2); }
  std::span<double> lossesOf(std::size_t turn) const { return hostPart(turn, losses_, layout_.microBatches); }
  std::span<double> balanceOf(std::size_t turn, std::int64_t micro) const;
  std::span<double> summaryOf(std::size_t turn, std::size_t layer) const {
    return hostPart(turn, summaries_[layer], layout_.summaries[layer]);
  }

 private:
  TensorView part(std::int64_t begin, std::int64_t count) const { return device_.view().rows(begin, begin + count); }
  std::span<double> hostPart(std::size_t turn, std::int64_t begin, std::int64_t count) const {
    return host_[turn].span<double>().subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
  }

  Layout layout_;
  std::int64_t losses_ = 0, balances_ = 0, balanceStride_ = 0;
  std::vector<std::int64_t> summaries_;  // where each begins
  Tensor device_;
  std::array<Tensor, 2> host_;
};

}  // namespace moe
