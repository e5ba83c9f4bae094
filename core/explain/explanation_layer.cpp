// What a layer's numbers are made of. Counts are the step's shares times its assignments.
#include <cmath>

#include "core/explain/explanation.h"
#include "core/telemetry/figure_text.h"
#include "core/telemetry/layer_counts.h"

namespace moe {
Explanation explainLoad(const LayerPoint& layer, std::size_t expert, std::int64_t step) {
  const float share = expert < layer.load.size() ? layer.load[expert] : 0;
  const double count = countOf(layer, share), mean = meanCount(layer);
  std::string values;
  if (layer.assignments > 0) values = figureText(count) + " / " + figureText(layer.assignments) + " = ";
  values += shareText(static_cast<double>(share)) + " of the assignments; " + figureText(count) + " / " +
            figureText(mean) + " = " + figureText(static_cast<double>(share) * static_cast<double>(layer.load.size())) +
            " of the fair share";
  return {nameAt("Load of expert " + std::to_string(expert), layer.layer, step),
          "load = c / \u03a3 c, utilisation = c / mean c", values,
          "c counts what was asked, before capacity; utilisation 1 is the fair share."};
}

}  // namespace moe
