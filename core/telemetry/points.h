#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace moe {

/// Identifies a run in the store and on every value that leaves the worker. 0: none.
using RunId = std::int64_t;

/// What a number says that was not measured at this step.
inline constexpr float kNotMeasured = std::numeric_limits<float>::quiet_NaN();

/// Layer of a head that is a mixture of experts: it is routed like a layer, and stands behind them all.
inline constexpr int kHeadLayer = 1'000'000;

/// How a layer is called in a sentence, "layer 3" or "head", and where there is little room, "L3" or "head".
std::string layerName(int layer);
std::string layerSymbol(int layer);

/// One expert layer at one step. All from asked assignments (before capacity) of the step's whole batch, unless said.
struct LayerPoint {
  int layer = 0;              // index in the model's list of layers, or kHeadLayer
  std::vector<float> load;    // (E) share of assignments: c_e / sum c. Where every token asks every expert, each
                              // counts by its weight
  double assignments = 0;     // sum c of the step
  float maxVio = 0;           // max c / mean c - 1
  float cv2 = 0;              // population variance of c / mean^2
  float dropRate = 0;         // dropped assignments / asked assignments
  float tokenDropRate = 0;    // tokens with no admitted assignment / T
  float routerEntropy = 0;    // mean over tokens of H(p_t), nats ("token entropy")
  float loadEntropy = 0;      // -sum q log q / log E of the load shares, 0..1
  float meanProbEntropy = 0;  // H(mean over tokens of p_t), nats; minus routerEntropy = mutual information
  float margin = 0;           // mean over tokens: smallest selected - largest unselected ranking value
  float biasJaccard = 1;      // mean Jaccard of the selected sets with and without the selection bias
  float unused = 0;           // experts without any assignment in this step
  float dead = kNotMeasured;  // experts below the alert's threshold over its window; until it is full not measured
  float importanceCv2 = 0;    // CV^2 of sum over tokens of p_te
  float languageGradient = kNotMeasured;  // norm on the router's weights of the gradient of the language loss alone
  float balanceGradient = kNotMeasured;   // norm there of sum of coefficient * value, z left out; every few steps
  std::vector<float> balance;             // value of each balance term of the recipe, without coefficient
  std::vector<float> termGradient;        // norm there of each coefficient * value; empty where not measured
};

/// One optimiser step: small, never dropped on its way out.
struct StepPoint {
  RunId run = 0;
  std::int64_t step = 0;  // optimiser steps done, from 1
  double loss = 0;        // training cross-entropy, nats a token
  std::optional<double> validationLoss;
  double auxLoss = 0;       // sum of coefficient * value of all balance terms but z, over the layers
  double zLoss = 0;         // same, the z terms
  double gradientNorm = 0;  // before clipping
  double learningRate = 0;
  double tokensPerSecond = 0;      // of this step
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
