#pragma once

namespace moe {

/// The best f32 matrix product this machine gives right now on `threads` threads (0: all cores), FLOP/s: oneDNN's own
/// threaded sgemm on cubes. The ceiling that a training step's FLOP/s are a share of. Takes a tenth of a second or so.
double measuredGemmPeak(int threads);

}  // namespace moe
