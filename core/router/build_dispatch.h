#pragma once
#include "core/router/routing.h"

namespace moe {

/// routing.dispatch from the asked and final sets and the final weights. A dropped assignment stands under the expert
/// it asked for; second choices that were not asked for do not appear.
template <class S>
void buildDispatch(Routing& routing);

/// routing.load: asked assignments of each expert, after set edits, before capacity.
void countLoad(Routing& routing);

}  // namespace moe
