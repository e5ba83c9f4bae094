#include "core/backend/cuda/cuda_backend.h"

namespace moe::cuda {
namespace {

/// The rule of core/router/bias_update, on the device's own counts: an expert a thread.
struct MoveBias {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "selection bias";
  float* bias;
  const double *counts, *rate;
  int experts;
  bool bySign;

  MOE_DEVICE void operator()() const {
    double total = 0;
    for (int e = 0; e < experts; ++e) total += counts[e];  // whole numbers: exact
    if (total == 0) return;
    for (int e = static_cast<int>(globalThread()); e < experts; e += static_cast<int>(globalThreads())) {
      const double missing = total - counts[e] * experts;
      const double move = bySign ? static_cast<double>((missing > 0) - (missing < 0)) : missing / total;
      bias[e] = static_cast<float>(static_cast<double>(bias[e]) + *rate * move);
    }
  }
};

}  // namespace

void CudaBackend::updateSelectionBias(const TensorView& bias, const TensorView& counts,
                                      const Recipe::Adjust::SelectionBias& rule) {
  const auto timed = queue().time("selection bias");
  const auto experts = static_cast<int>(bias.elements());
  written(bias);
  queue().launch<MoveBias>({(experts + MoveBias::kThreads - 1) / MoveBias::kThreads}, 0, at<float>(bias),
                           static_cast<const double*>(at<double>(counts)), queue().constant(rule.rate), experts,
                           rule.update == Recipe::Adjust::SelectionBias::Update::sign);
}

}  // namespace moe::cuda
