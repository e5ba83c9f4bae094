#pragma once
#include <exception>
#include <string>

namespace moe {

struct RunConfig;

/// What went wrong, for a person: "train.steps: ..." without "[config]" before it. Out of memory is a sentence too: what was
/// asked for, what the run was predicted to take (`config`, where there is one) and what is free.
std::string sentenceOf(const std::exception& problem, const RunConfig* config = nullptr);

}  // namespace moe
