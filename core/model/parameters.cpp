#include "core/model/parameters.h"

#include <algorithm>

#include "core/backend/backend.h"

namespace moe {
namespace {

constexpr std::int64_t kAlignment = 16;  // elements: a segment begins on a cache line in f32 and in f64

std::int64_t padded(std::int64_t elements) { return (elements + kAlignment - 1) / kAlignment * kAlignment; }

TensorView part(const TensorView& arena, std::int64_t begin, const Shape& shape) {
  return arena.rows(begin, begin + shape.elements()).reshaped(shape);
}

}  // namespace

Parameters::Parameters(Backend& backend, const std::vector<Segment>& segments, DType dtype, bool withGradients) {
  std::int64_t total = 0;
  for (const Segment& segment : segments) total += padded(segment.shape.elements());
  values_ = backend.allocate({total}, dtype);
  if (withGradients) gradients_ = backend.allocate({total}, dtype);
  std::int64_t begin = 0;
  for (const Segment& segment : segments) {
    Parameter parameter;
    parameter.name = segment.name;
    parameter.place = segment.place;
    parameter.value = part(values_, begin, segment.shape);
    if (withGradients) parameter.gradient = part(gradients_, begin, segment.shape);
    parameter.wholeGradient = segment.wholeGradient;
    parameter.decays = segment.kind == Segment::Kind::matrix || segment.kind == Segment::Kind::output;
    all_.push_back(std::move(parameter));
    begin += padded(segment.shape.elements());
  }
}

const Parameter* Parameters::find(std::string_view name) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const Parameter& each) { return each.name == name; });
  return found == all_.end() ? nullptr : &*found;
}

TensorView Parameters::value(std::string_view name) const {
  const Parameter* found = find(name);
  return found ? found->value : TensorView{};
}

TensorView Parameters::gradient(std::string_view name) const {
  const Parameter* found = find(name);
  return found ? found->gradient : TensorView{};
}

std::int64_t Parameters::elements() const {
  std::int64_t sum = 0;
  for (const Parameter& parameter : all_) sum += parameter.value.elements();
  return sum;
}

}  // namespace moe
