// The operations' table on one backend against the reference, without a test framework: for machines that have a GPU and
// little else.  operations BACKEND [f32|bf16] [part of a name]
// One line an operation that is wrong; the exit status is 1 where there is one. In bf16: the operations without kinks, to
// the bounds of tests/support/ops/narrow.h.
#include <cstdio>
#include <exception>

#include "core/backend/backend.h"
#include "tests/support/ops/large.h"
#include "tests/support/ops/narrow.h"

namespace {

/// Bit for bit, where nothing is a number too.
bool sameBits(const moe::test::Values& left, const moe::test::Values& right) {
  for (const auto& [name, values] : left) {
    const std::vector<double>& others = right.at(name);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!(values[i] == others[i]) && !(std::isnan(values[i]) && std::isnan(others[i]))) return false;
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  using namespace moe;
  const std::string name = count > 1 ? arguments[1] : "cuda", filter = count > 3 ? arguments[3] : "";
  const bool bf16 = count > 2 && std::string(arguments[2]) == "bf16";
  int wrong = 0, right = 0;
  try {
    const auto reference = makeBackend({.name = "reference", .threads = 0, .computeType = DType::f64});
    const auto backend = makeBackend({.name = name, .threads = 0, .computeType = bf16 ? DType::bf16 : DType::f32});
    for (const test::Op& op : bf16 ? test::narrowOpsAndAttention() : test::allOpsAndLargeOnes()) {
      if (op.name.find(filter) == std::string::npos) continue;
      std::string problem;
      try {
        const test::Values start = test::drawn(op);
        const test::Values found = test::evaluate(op, *backend, DType::f32, start);
        problem = test::disagreement(found, test::evaluate(op, *reference, DType::f64, start), op.bound);
        if (!sameBits(found, test::evaluate(op, *backend, DType::f32, start)))
          problem += " A second run gives other bits.";
      } catch (const std::exception& error) { problem = error.what(); }
      ++(problem.empty() ? right : wrong);
      if (!problem.empty()) std::printf("wrong  %s: %s\n", op.name.c_str(), problem.c_str());
    }
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
  std::printf("%d operations right, %d wrong\n", right, wrong);
  return wrong != 0;
}
