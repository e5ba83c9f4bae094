#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/segments.h"
#include "core/tensor/tensor.h"

namespace moe {

class Backend;

/// A named segment: one weight with its gradient. f32 (f64 in gradient checks). Storage is owned by the model, or mapped
/// from a file by whoever loads one.
struct Parameter {
  std::string name;  // "layers.2.experts.down"
  SegmentPlace place;
  TensorView value;
  TensorView gradient;         // same shape; empty for a model that only infers
  bool wholeGradient = false;  // as in Segment
  bool decays = false;         // weight decay applies: matrices yes, norms and biases no
  bool frozen = false;         // the optimiser leaves it alone
  /// Elements of it that stay, from begin to before end, ascending: single experts of a bank.
  std::vector<std::pair<std::int64_t, std::int64_t>> frozenParts;
};

/// All segments of a model in a fixed order, allocated in two arenas (values, gradients). Movable only.
class Parameters {
 public:
  Parameters(Backend& backend, const std::vector<Segment>& segments, DType dtype, bool withGradients);

  std::vector<Parameter>& all() { return all_; }
  const std::vector<Parameter>& all() const { return all_; }
  /// Null where there is none of that name.
  const Parameter* find(std::string_view name) const;
  /// Views of one segment, empty where there is none of that name.
  TensorView value(std::string_view name) const;
  TensorView gradient(std::string_view name) const;
  std::int64_t elements() const;
  /// Every gradient at once, padding between segments included (it stays 0).
  const TensorView& gradientArena() const { return gradients_.view(); }

 private:
  std::vector<Parameter> all_;
  Tensor values_, gradients_;
};

}  // namespace moe
