#include "core/train/optimizer.h"

#include "core/backend/backend.h"

namespace moe {
namespace {

/// Elements [begin, end), or the view itself where that is all of it.
TensorView part(const TensorView& view, std::int64_t begin, std::int64_t end) {
  return end - begin == view.elements() ? view : view.reshaped({view.elements()}).rows(begin, end);
}

/// Calls with each stretch of elements that is not frozen.
template <class Call>
void forEachLearning(const Parameter& parameter, Call call) {
  if (parameter.frozen) return;
  std::int64_t begin = 0;
  for (const auto& [from, to] : parameter.frozenParts) {
    if (from > begin) call(begin, from);
    begin = to;
  }
  if (begin < parameter.value.elements()) call(begin, parameter.value.elements());
}

}  // namespace

Optimizer::Optimizer(Backend& backend, const Parameters& parameters) : backend_(backend) {
  for (const Parameter& parameter : parameters.all()) {
    m_.push_back(backend.allocate(parameter.value.shape, parameter.value.dtype));
    v_.push_back(backend.allocate(parameter.value.shape, parameter.value.dtype));
  }
  squares_ = backend.allocate({static_cast<std::int64_t>(parameters.all().size())}, DType::f64);
}

void Optimizer::findParts(const Parameters& parameters, double weightDecay) {
  parts_.clear();
  gradients_.clear();
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const Parameter& parameter = parameters.all()[i];
    forEachLearning(parameter, [&](std::int64_t begin, std::int64_t end) {
      parts_.push_back({part(parameter.value, begin, end), part(m_[i], begin, end), part(v_[i], begin, end),
                        part(parameter.gradient, begin, end), parameter.decays ? weightDecay : 0});
      gradients_.push_back(parts_.back().gradient);
    });
  }
}

void Optimizer::step(const TensorView& update, const Parameters& parameters, const TrainConfig& train,
                     double learningRate, std::int64_t step, const TensorView& loss) {
  findParts(parameters, train.weightDecay);
  const auto count = static_cast<std::int64_t>(parts_.size());
  if (squares_.elements() < count) squares_ = backend_.allocate({count}, DType::f64);
  const TensorView squares = squares_.view().rows(0, count);
  backend_.sumOfSquares(squares, gradients_);
  backend_.scaleGradients(update, squares, loss, train.clip);
  backend_.adamw(parts_, {learningRate, train.beta1, train.beta2, train.epsilon, step}, update);
}

}  // namespace moe
