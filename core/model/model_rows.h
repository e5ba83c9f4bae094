#pragma once
#include "core/config/table.h"
#include "core/model/config.h"

namespace moe {

/// Layers where nothing is said of their number.
inline constexpr int kUsualLayers = 4;

/// Of one layer's attention ("heads"); modelRows() has the same for all layers ("model.heads").
const SettingTable<LayerConfig>& attentionRows();

/// What a person can set of the transformer around the experts; paths as in a run's configuration ("model.width"). Rows
/// of what every layer has of its own read the first layer and set all.
const SettingTable<ModelConfig>& modelRows();

}  // namespace moe
