#pragma once
// Every operation's cases: what each backend is held to.
#include "tests/support/ops/adamw.h"
#include "tests/support/ops/attention.h"
#include "tests/support/ops/cross_entropy.h"
#include "tests/support/ops/embedding.h"
#include "tests/support/ops/experts.h"
#include "tests/support/ops/linear.h"
#include "tests/support/ops/norm.h"
#include "tests/support/ops/sums.h"

namespace moe::test {

inline std::vector<Op> allOps() {
  std::vector<Op> all;
  for (const auto& ops :
       {embeddingOps(), normOps(), linearOps(), attentionOps(), crossEntropyOps(), adamwOps(), sumOps(), expertsOps()})
    all.insert(all.end(), ops.begin(), ops.end());
  return all;
}

}  // namespace moe::test
