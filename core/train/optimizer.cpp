#include "core/train/optimizer.h"

#include <cmath>

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

double Optimizer::gradientNorm(const Parameters& parameters) {
  std::int64_t parts = 0;
  for (const Parameter& parameter : parameters.all())
    forEachLearning(parameter, [&](std::int64_t, std::int64_t) { ++parts; });
  if (squares_.elements() < parts) squares_ = backend_.allocate({parts}, DType::f64);
  std::int64_t i = 0;
  for (const Parameter& parameter : parameters.all())
    forEachLearning(parameter, [&](std::int64_t begin, std::int64_t end) {
      backend_.sumOfSquares(squares_.view().rows(i, i + 1), part(parameter.gradient, begin, end));
      ++i;
    });
  backend_.synchronize();
  double sum = 0;
  for (double square : squares_.span<double>().first(static_cast<std::size_t>(parts))) sum += square;
  return std::sqrt(sum);
}

void Optimizer::step(Parameters& parameters, const TrainConfig& train, double learningRate, std::int64_t step,
                     double gradientScale) {
  AdamWSettings settings{learningRate, train.beta1, train.beta2, train.epsilon, 0, step, gradientScale};
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const Parameter& parameter = parameters.all()[i];
    settings.weightDecay = parameter.decays ? train.weightDecay : 0;
    forEachLearning(parameter, [&](std::int64_t begin, std::int64_t end) {
      backend_.adamw(part(parameter.value, begin, end), part(m_[i], begin, end), part(v_[i], begin, end),
                     part(parameter.gradient, begin, end), settings);
    });
  }
}

}  // namespace moe
