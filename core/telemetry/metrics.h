#pragma once
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace moe {

struct StepPoint;
struct LayerPoint;
struct RunFacts;

/// What a number says that was not measured at this step.
inline constexpr float kNotMeasured = std::numeric_limits<float>::quiet_NaN();

/// The numbers of one step that belong to the whole run.
struct RunMetrics {
  double loss = 0;          // training cross-entropy, nats a token
  double auxLoss = 0;       // sum of coefficient * value of all balance terms but z, over the layers
  double zLoss = 0;         // same, the z terms
  double gradientNorm = 0;  // before clipping
  double learningRate = 0;
  double tokensPerSecond = 0;  // of this step
};

/// The numbers of one expert layer at one step. All from asked assignments (before capacity) of the step's whole batch,
/// unless said. Their order is that of the store's blocks: append only.
struct LayerMetrics {
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
};
inline constexpr std::size_t kLayerMetrics = sizeof(LayerMetrics) / sizeof(float);

/// Every number that is measured at a step and may be shown, stored or exported. The order of the rows is this one.
enum class Metric {
  loss,
  validationLoss,
  auxLoss,
  zLoss,
  gradientNorm,
  learningRate,
  tokensPerSecond,
  loadLeast,
  loadLow,
  loadMedian,
  loadHigh,
  loadMost,
  maxVio,
  cv2,
  dropRate,
  tokenDropRate,
  routerEntropy,
  loadEntropy,
  meanProbEntropy,
  margin,
  biasJaccard,
  unused,
  dead,
  importanceCv2,
  languageGradient,
  balanceGradient,
  assignments,
  mutualInformation
};

enum class MetricScope { run, layer };
/// column: of the store's table of points; block: of a layer's blocks; derived: made of what else a point holds.
enum class MetricStorage { column, block, derived };

/// How its values are written where there is little room: 0.061; 0.61; 6 %; 8.3k.
enum class MetricForm { plain, decimals, share, count };

/// A metric: what is said of it, and where its value stands in a point.
struct MetricRow {
  Metric metric{};
  MetricScope scope{};
  MetricStorage storage{};
  std::string_view id = {};      // in JSON and on the command line: "max_vio"; empty: in no export
  std::string_view csv = {};     // its column in CSV, with the unit; empty: the id
  std::string_view column = {};  // in the store's table of points; empty: it has none
  std::string_view name = {};    // "MaxVio"
  std::string_view unit = {};    // "nats"; empty: a plain number
  std::string_view formula = {}, meaning = {};
  std::string_view legend = {};  // its curve's name beside others of the same plot; empty: "this run", or its layer's
  MetricForm form = MetricForm::plain;
  // What a plot's axis shows at the least, so that small changes do not look large; not a number: nothing.
  double axisFrom = kNotMeasured, axisTo = kNotMeasured;
  bool nowAndThen = false;                   // measured at some steps only: the newest one holds
  double (*of)(const StepPoint&) = nullptr;  // scope run; not a number: not measured
  void (*put)(StepPoint&, double) = nullptr;
  double (*ofLayer)(const LayerPoint&) = nullptr;  // scope layer
  void (*putLayer)(LayerPoint&, double) = nullptr;
  /// Where it is not a number it is left out, not said to be none.
  bool maybeMissing() const { return nowAndThen || storage == MetricStorage::derived; }
  // With the present values in them, and facts of the run in the words where they belong there; empty: as above.
  std::string (*values)(const StepPoint&, const RunFacts&) = nullptr;
  std::string (*layerValues)(const LayerPoint&, const RunFacts&) = nullptr;
  std::string (*formulaOf)(const RunFacts&) = nullptr;
  std::string (*meaningOf)(const RunFacts&) = nullptr;
};

/// All of them, in the order of the enumeration.
std::span<const MetricRow> metricRows();
const MetricRow& rowOf(Metric metric);
/// Those of a scope, in order.
std::span<const MetricRow> metricsOfRun();
std::span<const MetricRow> metricsOfLayers();
constexpr bool isPerLayer(Metric metric) { return metric >= Metric::maxVio; }

}  // namespace moe
