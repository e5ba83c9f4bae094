#pragma once

namespace moe {

enum class NormKind { rms, layer };

}  // namespace moe
