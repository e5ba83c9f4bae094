#pragma once
#include "core/config/table.h"
#include "core/data/data_config.h"

namespace moe {

/// What a person can set of the text, and what is said of it; paths as in a run's configuration ("data.tokenizer").
const SettingTable<DataConfig>& dataRows();

}  // namespace moe
