#pragma once
// What the device keeps of one layer's routing: core/router's tables for the recipes that it routes wholly (route.cu).
// The host's come from the same logits when somebody asks for them (CudaBackend::read).
#include <cstdint>
#include <memory>

#include "core/backend/cuda/dispatch_tables.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe::cuda {

/// Sums over the batch, in f64.
struct RoutingSums {
  double entropy, margin, marginTokens, jaccard;  // RoutingSummary
  double squaredLogSumExp, termEntropy;           // of the z and entropy terms, before the mean
};

/// Device pointers. T tokens, E experts, k choices.
struct RoutingView {
  std::int32_t tokens = 0, experts = 0, slots = 0, blocks = 0;
  float *logits = nullptr, *scores = nullptr;            // (T, E)
  float* logSumExp = nullptr;                            // (T) of the logits
  std::int32_t* asked = nullptr;                         // (T, k)
  float* weight = nullptr;                               // (T, k)
  float* bias = nullptr;                                 // (E) the selection bias that was read
  std::int32_t *load = nullptr, *first = nullptr;        // (E) assignments; first choices
  double *probability = nullptr, *importance = nullptr;  // (E) sums of the load terms' p; of RoutingSummary's
  RoutingSums* sums = nullptr;
  double *value = nullptr, *slope = nullptr;  // (terms); (terms, E)
  // Of the blocks that route: counts, which become the first place of each expert's assignments; and sums.
  std::int32_t *blockCounts = nullptr, *blockFirst = nullptr;     // (blocks, E)
  float *blockProbability = nullptr, *blockImportance = nullptr;  // (blocks, E)
  RoutingSums* blockSums = nullptr;                               // (blocks)
};

/// Kept by Routing::device.
struct RoutingTables : DeviceTables {
  RoutingView view;
  std::shared_ptr<DispatchTables> dispatch;
  std::int32_t *expertBegin = nullptr, *admittedEnd = nullptr, *token = nullptr, *slot = nullptr, *tokenBegin = nullptr,
               *assignmentOf = nullptr;
  float *assignmentWeight = nullptr, *dLogits = nullptr;  // (T, k); (T, E)
  std::int64_t roomTokens = 0, terms = 0;                 // what the memory is for
  Tensor floats, integers, doubles;                       // what all of these point into

  // What came since the last route(), and what the host's tables are made of when they are read.
  bool read = false, finished = false, differentiated = false, biased = false;
  Recipe recipe;
  std::int64_t sequences = 1, step = 0, totalSteps = 1;
  Phase phase = Phase::training;
};

/// Null: this layer was routed on the host.
inline RoutingTables* deviceTables(const Routing& routing) { return static_cast<RoutingTables*>(routing.device.get()); }

}  // namespace moe::cuda
