#include "core/router/build_dispatch.h"

namespace moe {

template <class S>
void buildDispatch(Routing& routing) {
  Dispatch& out = routing.dispatch;
  const auto experts = static_cast<std::size_t>(routing.experts), tokens = static_cast<std::size_t>(routing.tokens),
             slots = static_cast<std::size_t>(routing.slots);
  out.tokens = routing.tokens;
  out.experts = routing.experts;
  out.everyToken = false;
  const auto expertOf = [&](std::size_t at) {
    if (routing.final[at] >= 0) return routing.final[at];
    return routing.asked[at] >= 0 && routing.wantsSlot[at] ? routing.asked[at] : -1;
  };
  out.expertBegin.assign(experts + 1, 0);
  out.admittedEnd.assign(experts, 0);
  out.tokenBegin.resize(tokens + 1);
  out.tokenBegin[0] = 0;
  std::int32_t admitted = 0;
  for (std::size_t t = 0, at = 0; t < tokens; ++t) {
    for (std::size_t j = 0; j < slots; ++j, ++at) {
      const std::int32_t e = expertOf(at);
      if (e < 0) continue;
      ++out.expertBegin[static_cast<std::size_t>(e) + 1];
      if (routing.final[at] < 0) continue;
      ++out.admittedEnd[static_cast<std::size_t>(e)];
      ++admitted;
    }
    out.tokenBegin[t + 1] = admitted;
  }
  for (std::size_t e = 0; e < experts; ++e) {
    out.expertBegin[e + 1] += out.expertBegin[e];
    out.admittedEnd[e] += out.expertBegin[e];
  }
  const auto total = static_cast<std::size_t>(out.expertBegin[experts]);
  out.token.resize(total);
  out.slot.resize(total);
  out.weight.resize(total);
  out.assignmentOf.resize(static_cast<std::size_t>(admitted));
  // Next free entry of each expert: among the admitted, and behind them among the dropped.
  std::vector<std::int32_t>&next = routing.scratch.used, &nextDropped = routing.scratch.order;
  next.assign(out.expertBegin.begin(), out.expertBegin.end() - 1);
  nextDropped.assign(out.admittedEnd.begin(), out.admittedEnd.end());
  const S* w = routing.finalWeight.as<S>();
  const S* asked = routing.askedWeight.as<S>();
  std::size_t ofToken = 0;
  for (std::size_t t = 0, at = 0; t < tokens; ++t)
    for (std::size_t j = 0; j < slots; ++j, ++at) {
      const std::int32_t e = expertOf(at);
      if (e < 0) continue;
      const bool in = routing.final[at] >= 0;
      const std::int32_t entry = (in ? next : nextDropped)[static_cast<std::size_t>(e)]++;
      const auto place = static_cast<std::size_t>(entry);
      out.token[place] = static_cast<std::int32_t>(t);
      out.slot[place] = static_cast<std::int32_t>(j);
      out.weight[place] = static_cast<double>(in ? w[at] : asked[at]);
      if (in) out.assignmentOf[ofToken++] = entry;
    }
}

void countLoad(Routing& routing) {
  routing.load.assign(static_cast<std::size_t>(routing.experts), 0);
  for (std::size_t i = 0; i < routing.asked.size(); ++i)
    if (routing.asked[i] >= 0 && routing.wantsSlot[i]) ++routing.load[static_cast<std::size_t>(routing.asked[i])];
}

template void buildDispatch<float>(Routing&);
template void buildDispatch<double>(Routing&);

}  // namespace moe
