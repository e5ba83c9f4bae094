#pragma once
#include <string>
#include <vector>

#include "core/model/config.h"
#include "core/model/segment_place.h"

namespace moe {

/// One named weight of a model: what is allocated, counted, drawn and saved.
struct Segment {
  enum class Kind {
    matrix,  // N(0, deviation)
    output,  // writes to the residual: N(0, deviation / sqrt(2 layers)) (GPT-2)
    one,     // gain of a norm
    zero,    // bias
  } kind = Kind::matrix;
  std::string name;  // "layers.2.experts.down"
  Shape shape;
  SegmentPlace place = {};
  bool perToken = false;       // looked up, not multiplied: no FLOPs
  double activeShare = 1;      // of its elements, those that one token passes; said by activeSegments alone
  bool wholeGradient = false;  // the first product of a backward pass may overwrite it; else cleared before, added to
};

/// Every segment of the model in a fixed order.
std::vector<Segment> modelSegments(const ModelConfig& config);

/// The same with the share of each that one token passes: k / E for routed experts. `passTokens`: those that training routes
/// together, which experts choose their slots from.
std::vector<Segment> activeSegments(const ModelConfig& config, std::int64_t passTokens);

/// Whether two models have the same weights in the same shapes, so that one may become the other while it trains.
bool sameSegments(const ModelConfig& a, const ModelConfig& b);

/// Before the names of a mixture head's segments.
inline const std::string kHeadPrefix = "head.";
/// "layers.2."
std::string layerPrefix(std::size_t layer);

/// Experts that one token passes: k, 1, E; the expected number where it varies (top_p: at uniform probabilities; expert
/// choice: slots that `passTokens` tokens share).
double activeExperts(const Recipe& recipe, std::int64_t passTokens);

}  // namespace moe
