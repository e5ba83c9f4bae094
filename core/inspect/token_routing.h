#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/data/tokenizer.h"
#include "core/model/model.h"
#include "core/telemetry/snapshot.h"

namespace moe {

/// What every expert layer of the model's last pass did with token `t`.
std::vector<TokenLayerRouting> tokenLayers(const Model& model, std::int64_t t);

/// A token as the screen shows it, without its layers; loss NaN.
TokenRouting shownToken(const Tokenizer& tokenizer, std::int32_t id);

/// Why no text can be routed through this model; empty: it can.
std::string whyNotGenerating(const ModelConfig& config);

}  // namespace moe
