#pragma once

namespace moe {

/// What a weight is there for.
enum class SegmentPart { embedding, norm, attention, feedForward, router, experts, shared, denseResidual, head };
/// Which weight of that part.
enum class SegmentRole {
  tokens,
  positions,
  weight,
  bias,
  qkv,
  output,
  gate,
  up,
  down,
  gateBias,
  upBias,
  downBias,
  noiseWeight,
  tokenGate
};

/// Where a weight stands in the model: nothing reads that from its name.
struct SegmentPlace {
  int layer = -1;  // index of the model's layer, kHeadLayer of a mixture head, -1 outside of both
  SegmentPart part = SegmentPart::embedding;
  SegmentRole role = SegmentRole::weight;
  bool operator==(const SegmentPlace&) const = default;
};

/// A weight of the layer's routed experts.
constexpr bool isExpertOf(const SegmentPlace& place, int layer) {
  return place.layer == layer && place.part == SegmentPart::experts;
}

}  // namespace moe
