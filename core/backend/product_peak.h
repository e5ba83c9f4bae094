#pragma once

namespace moe {

class Backend;

/// Floating-point operations a second of this backend's own matrix product, `linear` on squares so large that one takes a
/// millisecond: the ceiling that a GPU's training is held against. Takes about a tenth of a second.
double measuredProductPeak(Backend& backend);

}  // namespace moe
