#pragma once
#include <cstdint>
#include <vector>

#include "core/backend/backend.h"

namespace moe {

/// A piece of an expert bank's work that writes what no other piece writes.
struct ExpertTask {
  enum class Kind { rows, upGradient, downGradient, combine } kind = Kind::rows;
  std::int32_t expert = 0;
  std::int64_t begin = 0, end = 0;  // assignments; rows of the gradient; tokens
  double cost = 0;                  // multiply-adds
};

/// Rows of one task at most: with hidden widths of a thousand or so its activations stay in the L2 cache.
constexpr std::int64_t kMaxRows = 256;

// Each clears `tasks` and orders them largest first, so that the last to start are short. Equal costs keep their order.

/// Admitted assignments in runs of one expert, `most` rows each at most. Runs but an expert's last end on a multiple of
/// `granule`, of which `most` is one.
void planRows(std::vector<ExpertTask>& tasks, const Dispatch& dispatch, const ExpertsSpec& spec, int threads,
              std::int64_t most = kMaxRows, std::int64_t granule = 1);
/// Tiles of the weights' gradients, then runs of tokens to combine. Ranges depend on loads and threads, never on
/// timing. `tile`: rows of one, or 0: by cost. everyExpert: also one tile a matrix of experts without a token.
void planGradients(std::vector<ExpertTask>& tasks, const Dispatch& dispatch, const ExpertsSpec& spec, int threads,
                   std::int64_t tile = 0, bool everyExpert = false);

/// Whether every assignment has weight 1.
bool hasUnitWeights(const Dispatch& dispatch);
/// Largest hidden width of the bank.
std::int64_t widestHidden(const ExpertsSpec& spec);

}  // namespace moe
