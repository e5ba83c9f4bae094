#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/golden/golden_run.h"

namespace moe {

/// A value computed for a field of `expected`. 0-d: empty shape.
struct Observed {
  bool integer = false;  // compared exactly
  std::vector<std::int64_t> shape;
  std::vector<double> data;
  double magnitude = 0;  // what an error is relative to where the value itself says nothing; 0: the value
};

/// Computes one observable; nothing where the file does not determine it.
using Observe = std::function<std::optional<Observed>(GoldenRun&)>;
using ObservableTable = std::map<std::string, Observe, std::less<>>;

// By name, a table a stage. Definitions: README of the golden vectors.
const ObservableTable& routingObservables();   // logits to selection and weights
const ObservableTable& capacityObservables();  // admission, expert choice, loads
const ObservableTable& layerObservables();     // experts, combine, objective
const ObservableTable& scheduleObservables();  // values by optimiser step
const ObservableTable& metricObservables();    // health of a given routing

/// The value of a field of `expected` by its path; nothing where no table has it or its inputs are missing.
std::optional<Observed> observe(GoldenRun& run, const std::vector<std::string>& path);

// How observables are made.
Observed observed(GoldenRun& run, const TensorView& view, std::vector<std::int64_t> shape);
Observed observed(std::vector<std::int64_t> shape, std::vector<double> values);
Observed observedIntegers(std::vector<std::int64_t> shape, const std::vector<std::int32_t>& values);
Observed observedIntegers(std::vector<std::int64_t> shape, const std::vector<std::int64_t>& values);
Observed observedNumber(double value);
Observed observedInteger(std::int64_t value);

}  // namespace moe
