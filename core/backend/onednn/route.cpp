#include <stdexcept>

#include "core/backend/onednn/onednn_backend.h"

namespace moe {

void OnednnBackend::route(Routing&, const Recipe&, const RoutingInput&) {
  throw std::logic_error("routing has not landed");
}

void OnednnBackend::routeBackward(const RouterWeights&, const TensorView&, Routing&, const Recipe&, const RoutingInput&,
                                  std::span<const double>) {
  throw std::logic_error("routing has not landed");
}

}  // namespace moe
