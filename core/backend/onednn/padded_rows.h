#pragma once
#include <cstdint>
#include <vector>

#include "core/backend/onednn/bf16_product.h"
#include "core/router/dispatch.h"

namespace moe {

/// Where the admitted assignments' rows lie in bf16 working memory: each expert's begin on a multiple of kBf16Granule,
/// so that its last product may be padded with zeros.
struct PaddedRows {
  std::vector<std::int64_t> begin;         // (E + 1)
  std::vector<std::int32_t> ofAssignment;  // (A)

  std::int64_t total() const { return begin.back(); }
  static std::int64_t most(std::int64_t assignments, std::int64_t experts) {
    return assignments + experts * (kBf16Granule - 1);
  }
  void arrange(const Dispatch& dispatch) {
    begin.assign(1, 0);
    ofAssignment.resize(dispatch.token.size());
    for (std::int32_t e = 0; e < dispatch.experts; ++e) {
      const std::int32_t first = dispatch.expertBegin[static_cast<std::size_t>(e)],
                         end = dispatch.admittedEnd[static_cast<std::size_t>(e)];
      for (std::int32_t a = first; a < end; ++a)
        ofAssignment[static_cast<std::size_t>(a)] = static_cast<std::int32_t>(begin.back() + a - first);
      begin.push_back(begin.back() + bf16Padded(end - first));
    }
  }
};

}  // namespace moe
