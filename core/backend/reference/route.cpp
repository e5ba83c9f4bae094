#include <stdexcept>

#include "core/backend/reference/reference_backend.h"

namespace moe {

void ReferenceBackend::route(Routing&, const Recipe&, const RoutingInput&) {
  throw std::logic_error("reference routing has not landed");
}

void ReferenceBackend::routeBackward(const RouterWeights&, const TensorView&, Routing&, const Recipe&,
                                     const RoutingInput&, std::span<const double>) {
  throw std::logic_error("reference routing has not landed");
}

}  // namespace moe
