#pragma once
#include "core/router/capacity.h"
#include "core/router/routing.h"

namespace moe {

/// next_best inside one token group: in slot order each slot takes the token's best expert by r with room, not already
/// used by the token, never one at -inf. A slot that `force` replaced tries its forced expert first.
template <class S>
void placeNextBest(Routing& routing, TokenRange group);

/// no_token_left_behind (Switch Transformer, appendix B): in round i = 1..tries each unplaced token, in order, tries
/// its i-th best expert by r; a forced expert stands before the others.
template <class S>
void placeByRounds(Routing& routing, TokenRange group, int tries);

}  // namespace moe
