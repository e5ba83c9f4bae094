#pragma once
#include "core/data/text_files.h"
#include "core/telemetry/run_facts.h"
#include "core/train/run_config.h"

namespace moe {

/// What predictedMemory() is made of.
RunFacts::Memory predictedMemoryParts(const RunConfig& config, const TextSize& text);

}  // namespace moe
