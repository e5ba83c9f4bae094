#include "core/golden/verify_routing.h"

#include <algorithm>
#include <cmath>

#include "core/backend/backend.h"
#include "core/base/number_text.h"
#include "core/golden/golden_roles.h"
#include "core/golden/golden_run.h"
#include "core/golden/observables.h"

namespace moe {

namespace {

/// How far a field is off, and how far it may be.
struct Comparison {
  double error = 0, tolerance = 0;
  std::string problem;  // where there is nothing to compare
  bool passes() const { return problem.empty() && error <= tolerance; }
  double excess() const { return problem.empty() && tolerance > 0 ? error / tolerance : passes() ? 0 : 1e300; }
};

std::string beyond(double tolerance) {
  if (tolerance == 0) return "expected equal integers";
  return "expected an error of at most " + scientificText(tolerance, 0);
}

Comparison incomparable(std::string problem) { return {1, 0, std::move(problem)}; }

std::string shapeText(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

double tolerance(const std::string& group, DType dtype) {
  if (dtype == DType::f64) return 1e-10;
  return group == "grad_unscaled" ? 3e-5 : 1e-5;
}

Comparison compare(const GoldenExpected& expected, const Observed& found, DType dtype) {
  const GoldenTensor& value = expected.value;
  if (value.shape != found.shape || value.data.size() != found.data.size())
    return incomparable("expected shape " + shapeText(value.shape) + ", computed " + shapeText(found.shape));
  const bool integer = value.type == GoldenTensor::Type::i64 || value.type == GoldenTensor::Type::boolean;
  if (value.type != GoldenTensor::Type::number && integer != found.integer)
    return incomparable(found.integer ? "expected real numbers, computed integers"
                                      : "expected integers, computed real numbers");
  double largest = 0, off = 0;
  for (std::size_t i = 0; i < value.data.size(); ++i) {
    const double difference = std::abs(found.data[i] - value.data[i]);
    if (!std::isfinite(difference)) return incomparable("computed a value that is not finite");
    off = std::max(off, difference);
    largest = std::max(largest, std::abs(value.data[i]));
  }
  if (found.integer) return {off, 0, ""};
  if (found.magnitude > 0) return {off / found.magnitude, tolerance(expected.path[0], dtype), ""};
  // Zero up to rounding: compared as it is.
  if (largest < 1e-9) return {off, dtype == DType::f64 ? 1e-12 : 1e-5, ""};
  return {off / largest, tolerance(expected.path[0], dtype), ""};
}

Comparison compareField(GoldenRun& run, const GoldenExpected& expected, DType dtype) {
  const std::optional<Observed> found = observe(run, expected.path);
  if (!found) return incomparable("this field cannot be computed from the file's recipe and inputs");
  return compare(expected, *found, dtype);
}

}  // namespace

VerifyResult verifyRouting(Backend& backend, const GoldenVector& file, const std::string& name) {
  const DType dtype = backend.computeType() == DType::f64 ? DType::f64 : DType::f32;
  refuseUnusedInputs(file);
  VerifyResult result;
  result.file = name;
  result.system = file.system;
  result.passed = true;
  double worst = -1;
  for (const GoldenCase& one : file.cases) {
    GoldenRun run(backend, dtype, file, one);
    for (const GoldenExpected& expected : one.expected) {
      const Comparison comparison = compareField(run, expected, dtype);
      const std::string field = one.name.empty() ? expected.text() : one.name + "/" + expected.text();
      ++result.fields;
      if (comparison.excess() > worst) {
        worst = comparison.excess();
        result.worstField = field;
        result.worstError = comparison.error;
      }
      if (comparison.passes()) continue;
      result.passed = false;
      result.failures.push_back(
          {field, comparison.error, comparison.problem.empty() ? beyond(comparison.tolerance) : comparison.problem});
    }
  }
  return result;
}

VerifyResult verifyRouting(Backend& backend, const std::filesystem::path& path) {
  return verifyRouting(backend, readGoldenVector(path), path.string());
}

}  // namespace moe
