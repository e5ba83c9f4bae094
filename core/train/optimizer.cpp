#include "core/train/optimizer.h"

#include <cmath>

namespace moe {

Optimizer::Optimizer(Backend& backend, const Parameters& parameters) : backend_(backend) {
  for (const Parameter& parameter : parameters.all()) {
    m_.push_back(backend.allocate(parameter.value.shape, parameter.value.dtype));
    v_.push_back(backend.allocate(parameter.value.shape, parameter.value.dtype));
  }
  squares_ = backend.allocate({static_cast<std::int64_t>(parameters.all().size())}, DType::f64);
}

double Optimizer::gradientNorm(const Parameters& parameters) {
  std::int64_t i = 0;
  for (const Parameter& parameter : parameters.all()) {
    if (parameter.frozen)
      backend_.fill(squares_.view().rows(i, i + 1), 0);
    else
      backend_.sumOfSquares(squares_.view().rows(i, i + 1), parameter.gradient);
    ++i;
  }
  backend_.synchronize();
  double sum = 0;
  for (double square : squares_.span<double>()) sum += square;
  return std::sqrt(sum);
}

void Optimizer::step(Parameters& parameters, const TrainConfig& train, double learningRate, std::int64_t step,
                     double gradientScale) {
  AdamWSettings settings{learningRate, train.beta1, train.beta2, train.epsilon, 0, step, gradientScale};
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const Parameter& parameter = parameters.all()[i];
    if (parameter.frozen) continue;
    settings.weightDecay = parameter.decays ? train.weightDecay : 0;
    backend_.adamw(parameter.value, m_[i], v_[i], parameter.gradient, settings);
  }
}

}  // namespace moe
