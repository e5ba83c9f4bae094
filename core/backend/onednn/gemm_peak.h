#pragma once

namespace moe {

/// The best f32 matrix product this machine gives right now on `threads` threads (0: all cores), FLOP/s: oneDNN's own
/// threaded sgemm on cubes. The ceiling that a training step's FLOP/s are a share of. Takes a tenth of a second or so.
double measuredGemmPeak(int threads);
/// The same of bf16 products, of the kind the operations run: 256 rows a thread times a square matrix. Only where
/// hasBf16Products().
double measuredBf16Peak(int threads);

}  // namespace moe
