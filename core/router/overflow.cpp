#include "core/router/overflow.h"

#include <algorithm>
#include <limits>

#include "core/router/top_k.h"

namespace moe {
namespace {

bool isForced(const Routing& routing, std::size_t at) {
  return !routing.beforeForce.empty() && routing.beforeForce[at] != routing.asked[at];
}

}  // namespace

template <class S>
void placeNextBest(Routing& routing, TokenRange group) {
  const std::int64_t experts = routing.experts, slots = routing.slots;
  std::vector<std::int32_t>& used = routing.scratch.used;
  used.assign(static_cast<std::size_t>(experts), 0);
  for (std::int64_t j = 0; j < slots; ++j)
    for (std::int64_t t = group.begin; t < group.end; ++t) {
      const auto at = static_cast<std::size_t>(t * slots + j);
      if (routing.asked[at] < 0) continue;
      const std::int32_t* before = routing.final.data() + t * slots;
      const S* r = routing.ranking.as<S>() + t * experts;
      const auto free = [&](std::int32_t e) {
        return used[static_cast<std::size_t>(e)] < routing.capacitySlots &&
               std::find(before, before + j, e) == before + j;
      };
      std::int32_t best = isForced(routing, at) && free(routing.asked[at]) ? routing.asked[at] : -1;
      if (best < 0) {
        S value = -std::numeric_limits<S>::infinity();
        for (std::int32_t e = 0; e < experts; ++e)
          if (r[e] > value && free(e)) {
            value = r[e];
            best = e;
          }
      }
      routing.final[at] = best;
      if (best >= 0) ++used[static_cast<std::size_t>(best)];
    }
}

template <class S>
void placeByRounds(Routing& routing, TokenRange group, int tries) {
  const std::int64_t experts = routing.experts;
  const int rounds = static_cast<int>(std::min<std::int64_t>(tries, experts));
  std::vector<std::int32_t>&used = routing.scratch.used, &rank = routing.scratch.rank;
  used.assign(static_cast<std::size_t>(experts), 0);
  rank.resize(static_cast<std::size_t>((group.end - group.begin) * experts));
  for (std::int64_t t = group.begin; t < group.end; ++t) {
    std::int32_t* row = rank.data() + (t - group.begin) * experts;
    largest(row, routing.ranking.as<S>() + t * experts, experts, static_cast<int>(experts));
    const auto at = static_cast<std::size_t>(t);
    if (!isForced(routing, at)) continue;
    // The forced expert moves to the front; one at -inf takes the place of the last.
    std::int32_t* place = std::find(row, row + experts, routing.asked[at]);
    if (place == row + experts) --place;
    std::move_backward(row, place, place + 1);
    row[0] = routing.asked[at];
  }
  for (int i = 0; i < rounds; ++i)
    for (std::int64_t t = group.begin; t < group.end; ++t) {
      const auto at = static_cast<std::size_t>(t);
      if (routing.asked[at] < 0 || routing.final[at] >= 0) continue;
      const std::int32_t e = rank[static_cast<std::size_t>((t - group.begin) * experts + i)];
      if (e < 0 || used[static_cast<std::size_t>(e)] >= routing.capacitySlots) continue;
      routing.final[at] = e;
      ++used[static_cast<std::size_t>(e)];
    }
}

template void placeNextBest<float>(Routing&, TokenRange);
template void placeNextBest<double>(Routing&, TokenRange);
template void placeByRounds<float>(Routing&, TokenRange, int);
template void placeByRounds<double>(Routing&, TokenRange, int);

}  // namespace moe
