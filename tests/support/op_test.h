#pragma once
// One Op describes one case of one backend operation: its operands, the calls of forward and backward, and how far an
// f32 backend may stand from the f64 definition, with the reason. From that alone follow the gradient check, the
// precision check and the parity of one backend with another.
//
// Names carry the gradients: the gradient of operand "x" is the operand "dx".
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/tensor/philox.h"

namespace moe::test {

enum class Role {
  input,
  output,       // starts as NaN: an operation that reads it shows
  accumulated,  // starts as drawn numbers, which must survive in the sum
  saved,        // the backend's own: sized by it, never compared
};

struct Operand {
  std::string name;
  Shape shape;  // {0}: an empty view
  Role role = Role::input;
  std::function<double(double)> from = [](double normal) { return normal; };  // value from a draw of N(0,1)
  std::function<std::int64_t(const Backend&)> savedElements = {};             // saved only
  std::optional<DType> dtype = {};                                            // where it is not the run's
};

/// Operands by name; asking for one that was not declared throws.
class Views {
 public:
  void add(const std::string& name, const TensorView& view) { views_[name] = view; }
  TensorView operator[](const std::string& name) const {
    const TensorView& view = views_.at(name);
    return view.elements() == 0 ? TensorView{nullptr, view.shape, view.dtype} : view;
  }

 private:
  std::map<std::string, TensorView> views_;
};

struct Op {
  std::string name;
  std::vector<Operand> operands;
  std::function<void(Backend&, const Views&)> forward;
  std::function<void(Backend&, const Views&)> backward;  // empty: no gradient
  double bound = 0;           // largest difference of f32 from the f64 definition, over the tensor's largest magnitude
  std::string reason;         // of the bound
  bool checkGradient = true;  // false for shapes too large to difference
};

/// Every operand but the saved ones, by name.
using Values = std::map<std::string, std::vector<double>>;

/// Starting values, all of them exact in f32 so that each precision starts alike.
inline Values drawn(const Op& op, std::uint64_t seed = 1) {
  Values values;
  std::uint32_t index = 0;
  for (const Operand& operand : op.operands) {
    const Tensor draws = hostTensor({std::max<std::int64_t>(operand.shape.elements(), 1), 1}, DType::f64);
    fillNormal(draws, {.seed = seed, .layer = index++}, 0, 1);
    if (operand.role == Role::saved) continue;
    std::vector<double>& out = values[operand.name];
    for (std::int64_t i = 0; i < operand.shape.elements(); ++i)
      out.push_back(operand.role == Role::output
                        ? std::numeric_limits<double>::quiet_NaN()
                        : static_cast<double>(static_cast<float>(operand.from(draws.as<double>()[i]))));
  }
  return values;
}

/// Runs forward, then backward if asked, from `start`, and reads every operand back.
inline Values evaluate(const Op& op, Backend& backend, DType dtype, const Values& start, bool withBackward = true) {
  std::vector<Tensor> tensors;
  Views views;
  for (const Operand& operand : op.operands) {
    const bool saved = operand.role == Role::saved;
    const Shape shape = saved ? Shape{operand.savedElements(backend)} : operand.shape;
    tensors.push_back(backend.allocate(shape, operand.dtype.value_or(dtype)));
    if (!saved && shape.elements() != 0) {
      const Tensor host = hostTensor(shape, DType::f64);
      std::copy(start.at(operand.name).begin(), start.at(operand.name).end(), host.as<double>());
      backend.copy(tensors.back(), host);
      backend.synchronize();
    }
    views.add(operand.name, tensors.back());
  }
  op.forward(backend, views);
  if (withBackward && op.backward) op.backward(backend, views);
  Values result;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (op.operands[i].role == Role::saved) continue;
    const Tensor host = hostTensor(tensors[i].shape(), DType::f64);
    if (!host.empty()) backend.copy(host, tensors[i]);
    backend.synchronize();
    const auto numbers = host.span<double>();
    result[op.operands[i].name].assign(numbers.begin(), numbers.end());
  }
  return result;
}

/// Why `found` is further from `expected` than `bound` of each tensor's largest magnitude; empty where it is not.
inline std::string disagreement(const Values& found, const Values& expected, double bound) {
  for (const auto& [name, right] : expected) {
    const std::vector<double>& left = found.at(name);
    double largest = 0;
    for (const double value : right) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < right.size(); ++i)
      if (!(std::abs(left[i] - right[i]) <= bound * largest))  // NaN disagrees
        return name + "[" + std::to_string(i) + "]: found " + std::to_string(left[i]) + ", expected " +
               std::to_string(right[i]) + ", apart by " +
               std::to_string(std::abs(left[i] - right[i]) / largest / bound) + " times the bound";
  }
  return {};
}

/// Central differences of L = sum over outputs y of dy . y, in f64, against what backward gives for each operand that
/// has a gradient: |difference| <= 1e-6 |gradient| (Euclidean norms). Empty where all agree.
inline std::string gradientProblem(const Op& op, Backend& backend) {
  constexpr double kStep = 1e-5, kRelativeError = 1e-6;  // truncation is about kStep^2, rounding 1e-16 / kStep
  const Values start = drawn(op), after = evaluate(op, backend, DType::f64, start);
  const auto roleOf = [&](const std::string& name) -> std::optional<Role> {
    for (const Operand& operand : op.operands)
      if (operand.name == name) return operand.role;
    return {};
  };
  const auto loss = [&](const Values& from) {
    const Values values = evaluate(op, backend, DType::f64, from, false);
    double sum = 0;
    for (const auto& [name, numbers] : values)
      if (roleOf(name) != Role::input && roleOf("d" + name) == Role::input)
        for (std::size_t i = 0; i < numbers.size(); ++i) sum += numbers[i] * start.at("d" + name)[i];
    return sum;
  };
  int checked = 0;
  for (const Operand& operand : op.operands) {
    const std::string& name = operand.name;
    const auto gradientRole = roleOf("d" + name);
    if (operand.role != Role::input || !gradientRole || *gradientRole == Role::input) continue;
    double error = 0, size = 0;
    for (std::size_t i = 0; i < start.at(name).size(); ++i) {
      Values moved = start;
      moved[name][i] += kStep;
      const double above = loss(moved);
      moved[name][i] -= 2 * kStep;
      const double numeric = (above - loss(moved)) / (2 * kStep);
      double analytic = after.at("d" + name)[i];
      if (*gradientRole == Role::accumulated) analytic -= start.at("d" + name)[i];
      error += (numeric - analytic) * (numeric - analytic);
      size += numeric * numeric;
      ++checked;
    }
    if (!(std::sqrt(error) <= kRelativeError * std::sqrt(size)))
      return "d" + name + ": off by " + std::to_string(std::sqrt(error / size)) + " of its size";
  }
  return checked > 0 ? std::string() : "no operand has a gradient";
}

}  // namespace moe::test
