#pragma once

namespace moe {

/// What backward does with the numbers that stand where a weight's gradient goes. overwrite writes all of it, whatever
/// was there: zeros for an expert that no token reached.
enum class Gradients { add, overwrite };

}  // namespace moe
