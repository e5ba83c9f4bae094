#include "core/telemetry/points.h"

namespace moe {

std::string layerName(int layer) {
  return layer == kHeadLayer ? "head" : std::string("layer ").append(std::to_string(layer));
}

std::string layerSymbol(int layer) {
  return layer == kHeadLayer ? "head" : std::string("L").append(std::to_string(layer));
}

}  // namespace moe
