#pragma once
#include <exception>
#include <string>

namespace moe {

/// What went wrong, for a person: "train.steps: ..." without "[config]" before it. Out of memory is a sentence too.
std::string sentenceOf(const std::exception& problem);

}  // namespace moe
