#include "core/telemetry/alert_rows.h"

namespace moe {

const SettingTable<AlertConfig>& alertRows() {
  using namespace rows;
  static const SettingTable<AlertConfig> table = SettingTable<AlertConfig>{
      "alerts",
      "Alerts",
      "When an expert counts as dead.",
      {value<&AlertConfig::threshold>({.path = "alerts.threshold",
                                       .label = "Dead below",
                                       .step = 0.01,
                                       .unit = "of fair share",
                                       .formula = "mean load / fair share < threshold",
                                       .tooltip = "An alert rises below this share.",
                                       .changesLive = true}),
       value<&AlertConfig::clears>({.path = "alerts.clears",
                                    .label = "Clears at",
                                    .maximum = 100,
                                    .step = 0.01,
                                    .unit = "of fair share",
                                    .formula = "mean load / fair share ≥ clears",
                                    .tooltip = "An alert ends at this share; above the threshold, so that it does "
                                               "not flicker.",
                                    .changesLive = true}),
       value<&AlertConfig::window>({.path = "alerts.window",
                                    .label = "Window",
                                    .minimum = 1,
                                    .maximum = 100'000,
                                    .step = 10,
                                    .unit = "steps",
                                    .formula = "mean over the window",
                                    .tooltip = "Steps that the load is averaged over.",
                                    .changesLive = true}),
       value<&AlertConfig::restarts>({.path = "alerts.restart.retries",
                                      .label = "Restarts",
                                      .maximum = 1000,
                                      .step = 1,
                                      .unit = "at most",
                                      .formula = "0: off",
                                      .tooltip = "How often a run whose experts die goes back to its last healthy "
                                                 "checkpoint by itself.",
                                      .changesLive = true}),
       value<&AlertConfig::dropoutStep>(
           {.path = "alerts.restart.dropout_step",
            .label = "Dropout added",
            .maximum = 0.999,
            .step = 0.05,
            .unit = "a restart",
            .formula = "expert dropout + step",
            .tooltip = "What each such restart adds to the dropout inside experts.",
            .changesLive = true})}}.withDefaultsOf();
  return table;
}

}  // namespace moe
