#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/golden/golden_vector.h"

namespace moe {

class Backend;

/// A field that is further from its expected value than it may be.
struct VerifyFailure {
  std::string field;  // "variant/grad_total.x"
  double error = 0;
  std::string reason;
};

/// How a golden vector compares, over all its fields.
struct VerifyResult {
  std::string file, system;
  std::string worstField;   // the one that comes nearest to its tolerance, or is furthest past it
  double worstError = 0;    // relative as the format defines it; integers: largest difference; 1 where not computed
  std::int64_t fields = 0;  // compared
  bool passed = false;
  std::vector<VerifyFailure> failures;
};

/// Runs every case of a file on the backend (f64 on a backend that computes in it, else f32) and compares every field
/// of `expected`: f64 to 1e-10; f32 to 1e-5, grad_unscaled to 3e-5. A field that cannot be computed is a failure that
/// names it. Throws Error("golden") or Error("recipe") for a file that misfits.
VerifyResult verifyRouting(Backend& backend, const std::filesystem::path& path);
VerifyResult verifyRouting(Backend& backend, const GoldenVector& file, const std::string& name);

}  // namespace moe
