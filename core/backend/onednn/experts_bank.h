#pragma once
#include <cstdint>

#include "core/backend/onednn/experts_plan.h"

namespace moe {

/// Where each expert's matrices and each assignment's rows lie. Rows of a bank's working memory are numbered by
/// assignment, dropped ones included.
class ExpertsBank {
 public:
  ExpertsBank(const Dispatch& routed, const ExpertsSpec& bank, const TensorView& keep, const float* zeros)
      : dispatch(routed),
        spec(bank),
        widest(widestHidden(bank)),
        unitWeights(hasUnitWeights(routed)),
        keep_(keep),
        zeros_(zeros) {}

  const Dispatch& dispatch;
  const ExpertsSpec& spec;
  const std::int64_t widest;  // largest F
  const bool unitWeights;

  std::int64_t hidden(std::int32_t e) const { return spec.hidden[static_cast<std::size_t>(e)]; }
  /// Rows of gate or up of one expert.
  std::int64_t upRows(std::int32_t e) const { return spec.kind == ExpertKind::clampedGlu ? 2 * hidden(e) : hidden(e); }
  std::int64_t upBegin(std::int32_t e) const {
    return spec.kind == ExpertKind::clampedGlu ? 2 * spec.hiddenBegin(e) : spec.hiddenBegin(e);
  }
  std::int64_t downColumns(std::int32_t e) const { return spec.kind == ExpertKind::linear ? spec.width : hidden(e); }
  /// gate or up: (upRows, D).
  float* upMatrix(const TensorView& weight, std::int32_t e) const {
    return weight.as<float>() + upBegin(e) * spec.width;
  }
  /// down: (O, downColumns).
  float* downMatrix(const TensorView& weight, std::int32_t e) const {
    const std::int64_t begin = spec.kind == ExpertKind::linear ? e * spec.width : spec.hiddenBegin(e);
    return weight.as<float>() + spec.outputWidth * begin;
  }
  /// Bias of gate or up, zeros where it is off.
  const float* upBias(const TensorView& bias, std::int32_t e) const {
    return bias.empty() ? zeros_ : bias.as<float>() + upBegin(e);
  }
  float* downBias(const TensorView& bias, std::int32_t e) const {
    return bias.empty() ? nullptr : bias.as<float>() + e * spec.outputWidth;
  }

  /// Where an assignment's hidden units begin in an array of (A, widest): an expert's rows follow one another, F_e
  /// apart.
  std::int64_t hiddenOffset(std::int32_t e, std::int64_t assignment) const {
    const std::int64_t first = dispatch.expertBegin[static_cast<std::size_t>(e)];
    return first * widest + (assignment - first) * hidden(e);
  }

  float weightOf(std::int64_t assignment) const {
    return static_cast<float>(dispatch.weight[static_cast<std::size_t>(assignment)]);
  }
  /// w where it multiplies the expert's input, else 1; and the other way round.
  float inputScale(std::int64_t assignment) const { return spec.weightOnInput ? weightOf(assignment) : 1.0f; }
  float outputScale(std::int64_t assignment) const { return spec.weightOnInput ? 1.0f : weightOf(assignment); }
  bool scalesInput() const { return spec.weightOnInput && !unitWeights; }
  bool scalesOutput() const { return !spec.weightOnInput && !unitWeights; }
  std::int64_t tokenOf(std::int64_t assignment) const { return dispatch.token[static_cast<std::size_t>(assignment)]; }
  /// (F) of 0 and 1, or null: no dropout.
  const float* keepOf(std::int64_t token) const {
    return keep_.empty() ? nullptr : keep_.as<float>() + token * keep_.shape[1];
  }

  /// Arrays of (A, F) that backward reads: hidden activation and slopes.
  static std::int64_t savedArrays(ExpertKind kind) {
    return kind == ExpertKind::linear ? 0 : kind == ExpertKind::mlp ? 2 : 3;
  }

 private:
  const TensorView keep_;
  const float* zeros_;
};

}  // namespace moe
