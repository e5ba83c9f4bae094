#pragma once
#include <nlohmann/json.hpp>

namespace moe::test {

/// Two arms of a few steps of a model of width 8, as a file would hold them.
inline nlohmann::json tinyExperiment() {
  return nlohmann::json::parse(R"({
    "title": "Balance", "question": "Which is more even?", "claim": "The term evens the load", "source": "Somebody 1999",
    "here": "Width 8.", "seeds": [3, 4], "steps": 6,
    "set": {"model.width": 8, "model.heads": 2, "model.kv_heads": 2, "model.head_width": 4, "model.layers": 1,
            "model.context": 8, "model.dense_layers": [], "train.batch": 2, "train.validate_every": 3,
            "data.source": "builtin:domains"},
    "arms": [{"name": "none", "preset": "collapse", "set": {"experts.hidden": 4, "experts.count": 4}},
             {"name": "aux", "preset": "collapse-aux", "set": {"experts.hidden": 4, "experts.count": 4, "balance.0.coefficient": 0.5}},
             {"name": "twin", "preset": "collapse-aux", "dense_twin": true, "set": {"experts.hidden": 4, "experts.count": 4}}],
    "measures": ["validation_loss", "validation_loss@3", "max_vio_global", "dead_experts"],
    "bands": [{"says": "The loss is a number of nats", "measure": "validation_loss", "arm": "none", "seeds": "each", "at_least": 0, "at_most": 6},
              {"says": "It falls by half", "measure": "validation_loss", "arm": "aux", "over": {"measure": "validation_loss@0"}, "seeds": "mean", "at_most": 0.5}]})");
}

}  // namespace moe::test
