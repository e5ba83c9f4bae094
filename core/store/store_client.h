#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "core/store/run_store.h"

namespace moe {

/// A process that trains runs of a store: the one that holds it, or one that it records for.
struct TrainingProcess {
  std::string who;                            // "process 4711 (since ...)"
  std::map<RunId, RunSummary::State> claims;  // runs that no other may train, with what it last said of them
};

/// One that the holder records for, as the holder knows it. Token and sequence say which of its messages was done last,
/// kept in the store with what was done: one that is sent again, since the answer was lost, is not done again.
struct StoreClient {
  TrainingProcess process;
  std::string token;  // empty until it has greeted
};

}  // namespace moe
