#include <stdexcept>

#include "core/backend/reference/reference_backend.h"

namespace moe {

std::int64_t ReferenceBackend::expertsSavedElements(const ExpertsSpec&, std::int64_t) const {
  throw std::logic_error("reference experts have not landed");
}

void ReferenceBackend::experts(const TensorView&, const TensorView&, const TensorView&, const Dispatch&,
                               const ExpertsSpec&, const ExpertsWeights&, const TensorView&, bool) {
  throw std::logic_error("reference experts have not landed");
}

void ReferenceBackend::expertsBackward(const TensorView&, const ExpertsWeights&, std::span<double>, const TensorView&,
                                       const TensorView&, const TensorView&, const Dispatch&, const ExpertsSpec&,
                                       const ExpertsWeights&, const TensorView&) {
  throw std::logic_error("reference experts have not landed");
}

}  // namespace moe
