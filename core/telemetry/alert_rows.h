#pragma once
#include "core/config/table.h"
#include "core/telemetry/alert_config.h"

namespace moe {

/// What a person can set of the alerts, and what is said of it; paths as in a run's configuration.
const SettingTable<AlertConfig>& alertRows();

}  // namespace moe
