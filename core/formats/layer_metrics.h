#pragma once
#include "core/telemetry/points.h"

namespace moe {

/// A per-layer value as exports name it; the unit stands in the name, shares and indices have none.
struct LayerMetricName {
  const char* name;
  float LayerPoint::*value;
};
constexpr LayerMetricName kLayerMetricNames[] = {{"max_vio", &LayerPoint::maxVio},
                                                 {"cv2", &LayerPoint::cv2},
                                                 {"dropped_share", &LayerPoint::dropRate},
                                                 {"dropped_tokens_share", &LayerPoint::tokenDropRate},
                                                 {"router_entropy_nats", &LayerPoint::routerEntropy},
                                                 {"load_entropy", &LayerPoint::loadEntropy},
                                                 {"mean_probability_entropy_nats", &LayerPoint::meanProbEntropy},
                                                 {"margin", &LayerPoint::margin},
                                                 {"bias_jaccard", &LayerPoint::biasJaccard},
                                                 {"unused_experts", &LayerPoint::unused},
                                                 {"dead_experts", &LayerPoint::dead},
                                                 {"importance_cv2", &LayerPoint::importanceCv2},
                                                 {"language_gradient", &LayerPoint::languageGradient},
                                                 {"balance_gradient", &LayerPoint::balanceGradient}};

}  // namespace moe
