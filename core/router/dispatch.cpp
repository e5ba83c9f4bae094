#include "core/router/dispatch.h"

#include <numeric>

namespace moe {

void dispatchEveryToken(Dispatch& out, std::int64_t tokens, std::int32_t experts) {
  const auto total = static_cast<std::size_t>(tokens * experts);
  if (out.everyToken && out.tokens == tokens && out.experts == experts) return;
  out.tokens = tokens;
  out.experts = experts;
  out.everyToken = true;
  out.expertBegin.resize(static_cast<std::size_t>(experts) + 1);
  out.admittedEnd.resize(static_cast<std::size_t>(experts));
  out.token.resize(total);
  out.slot.resize(total);
  out.weight.assign(total, 1.0);
  out.tokenBegin.resize(static_cast<std::size_t>(tokens) + 1);
  out.assignmentOf.resize(total);
  for (std::int32_t e = 0; e <= experts; ++e)
    out.expertBegin[static_cast<std::size_t>(e)] = static_cast<std::int32_t>(e * tokens);
  for (std::int32_t e = 0; e < experts; ++e) {
    const auto begin = static_cast<std::size_t>(e * tokens);
    out.admittedEnd[static_cast<std::size_t>(e)] = static_cast<std::int32_t>((e + 1) * tokens);
    std::iota(out.token.begin() + static_cast<std::ptrdiff_t>(begin),
              out.token.begin() + static_cast<std::ptrdiff_t>(begin) + tokens, 0);
    std::fill_n(out.slot.begin() + static_cast<std::ptrdiff_t>(begin), tokens, e);
  }
  for (std::int64_t t = 0; t <= tokens; ++t)
    out.tokenBegin[static_cast<std::size_t>(t)] = static_cast<std::int32_t>(t * experts);
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int32_t e = 0; e < experts; ++e)
      out.assignmentOf[static_cast<std::size_t>(t * experts + e)] = static_cast<std::int32_t>(e * tokens + t);
}

}  // namespace moe
