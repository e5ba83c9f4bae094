#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/telemetry/metrics.h"

namespace moe {

/// Identifies a run in the store and on every value that leaves the worker. 0: none.
using RunId = std::int64_t;

/// Layer of a head that is a mixture of experts: it is routed like a layer, and stands behind them all.
inline constexpr int kHeadLayer = 1'000'000;

/// How a layer is called in a sentence, "layer 3" or "head", and where there is little room, "L3" or "head".
std::string layerName(int layer);
std::string layerSymbol(int layer);

/// One expert layer at one step.
struct LayerPoint : LayerMetrics {
  int layer = 0;  // index in the model's list of layers, or kHeadLayer
  std::vector<float>
      load;                // (E) share of assignments: c_e / sum c. Where every token asks every expert, each counts by
                           // its weight
  double assignments = 0;  // sum c of the step
  std::vector<float> balance;       // value of each balance term of the recipe, without coefficient
  std::vector<float> termGradient;  // norm on the router of each coefficient * value; empty where not measured
};

/// One optimiser step: small, never dropped on its way out.
struct StepPoint : RunMetrics {
  RunId run = 0;
  std::int64_t step = 0;  // optimiser steps done, from 1
  std::optional<double> validationLoss;
  std::vector<float> balance;      // each balance term as it is trained on: mean over layers, or its one value
  std::vector<LayerPoint> layers;  // expert layers only, in order
};

/// Something that happened to a run, kept with it and drawn as a mark on every time axis.
struct RunEvent {
  enum class Kind {
    knob,
    undo,
    alertRaised,
    alertCleared,
    started,
    paused,
    resumed,
    restored,
    checkpoint,
    notFinite,
    finished,
    forked,
    note,
    failed
  };
  RunId run = 0;
  std::int64_t step = 0;  // takes effect after this many steps
  Kind kind = Kind::note;
  std::string path, oldValue, newValue;  // knob, undo: dotted path and JSON texts
  int layer = -1, expert = -1;           // alerts
  double utilization = 0;                // alerts: load / fair share over the window
  std::string text;                      // one sentence for the list
};

/// An alert now standing.
struct Alert {
  RunId run = 0;
  int layer = 0, expert = 0;
  std::int64_t since = 0;  // step at which it was raised
  double utilization = 0;  // load / fair share over the window, at present
};

}  // namespace moe
