#include <algorithm>
#include <iterator>
#include <vector>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/routing_tables.h"
#include "core/router/balance.h"

namespace moe::cuda {
namespace {

/// The rule of core/router/bias_update, on the device's own counts: an expert a thread.
struct MoveBias {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "selection bias";
  float* bias;
  const double *counts, *rate;
  int experts;
  bool bySign;

  MOE_DEVICE void operator()() const {
    double total = 0;
    for (int e = 0; e < experts; ++e) total += counts[e];  // whole numbers: exact
    if (total == 0) return;
    for (int e = static_cast<int>(globalThread()); e < experts; e += static_cast<int>(globalThreads())) {
      const double missing = total - counts[e] * experts;
      const double move = bySign ? static_cast<double>((missing > 0) - (missing < 0)) : missing / total;
      bias[e] = static_cast<float>(static_cast<double>(bias[e]) + *rate * move);
    }
  }
};

struct TermRow {
  Recipe::BalanceTerm::Kind kind;
  Recipe::BalanceTerm::Normalisation normalisation;
  Recipe::BalanceTerm::Layers layers;
  bool first;  // counts first choices alone
  double coefficient;
  const double* counts;  // (layers, E) of the global batch; null: of this one
  double tokens;         // behind these
};

/// core/router/balance_finish: a warp a layer, then what joins the layers. One block.
struct FinishBalance {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "finish balance";
  using Kind = Recipe::BalanceTerm::Kind;
  using Layers = Recipe::BalanceTerm::Layers;
  double* totals;  // Backend::finishBalance
  const RoutingView* layers;
  const TermRow* terms;
  int layerCount, termCount;

  MOE_DEVICE static double norm(const TermRow& term, double experts, double n) {
    using Normalisation = Recipe::BalanceTerm::Normalisation;
    if (term.normalisation == Normalisation::perToken) return experts;
    if (term.normalisation == Normalisation::mean) return 1 / experts;
    return n > 0 ? experts / n : 0;
  }
  MOE_DEVICE double share(const TermRow& term, int layer, int e) const {  // c_e / T
    const RoutingView& view = layers[layer];
    if (term.counts != nullptr) return term.counts[static_cast<std::int64_t>(layer) * view.experts + e] / term.tokens;
    return static_cast<double>(term.first ? view.first[e] : view.load[e]) / view.tokens;
  }
  /// By a warp, every lane gets it.
  MOE_DEVICE double chosenPerToken(const TermRow& term, int layer) const {
    double n = 0;
    for (int e = lane(); e < layers[layer].experts; e += kWarp) n += share(term, layer, e);
    return warpSum(n);
  }

  MOE_DEVICE void operator()() const {
    auto* const joined = shared<double>();  // a sum of each thread
    double loss = 0, zLoss = 0;             // of thread 0
    for (int i = 0; i < termCount; ++i) {
      const TermRow term = terms[i];
      for (int l = warp(); l < layerCount; l += kThreads / kWarp) ofLayer(term, i, l);
      sync();
      double value = 0;
      for (int l = 0; l < layerCount; ++l) value += layers[l].value[i];
      double added = value;
      value /= layerCount;
      if (term.kind == Kind::load && term.layers == Layers::mean) added = value;
      if (term.kind == Kind::load && term.layers == Layers::concatenated) added = value = ofAllLayers(term, i, joined);
      sync();
      if (threadOfBlock() != 0) continue;
      totals[2 + i] = value;
      (term.kind == Kind::z ? zLoss : loss) += term.coefficient * added;
    }
    if (threadOfBlock() != 0) return;
    totals[0] = loss;
    totals[1] = zLoss;
  }

  MOE_DEVICE void ofLayer(const TermRow& term, int i, int l) const {
    const RoutingView& view = layers[l];
    if (term.kind != Kind::load) {
      const double sum = term.kind == Kind::z ? view.sums->squaredLogSumExp : view.sums->termEntropy;
      if (lane() == 0) view.value[i] = sum / view.tokens;
      return;
    }
    const double factor = norm(term, view.experts, chosenPerToken(term, l));
    const double part = term.layers == Layers::mean ? 1.0 / layerCount : 1.0;
    double value = 0;
    for (int e = lane(); e < view.experts; e += kWarp) {
      const double slope = factor * share(term, l, e);
      view.slope[static_cast<std::int64_t>(i) * view.experts + e] = slope * part;
      value += slope * view.probability[e] / view.tokens;
    }
    value = warpSum(value);
    if (lane() == 0) view.value[i] = value;
  }

  /// f and P averaged over layers before their product.
  MOE_DEVICE double ofAllLayers(const TermRow& term, int i, double* joined) const {
    const int experts = layers[0].experts;
    const double part = 1.0 / layerCount;
    double n = 0;
    for (int l = 0; l < layerCount; ++l) n += part * chosenPerToken(term, l);
    const double factor = norm(term, experts, n);
    double value = 0;
    for (int e = threadOfBlock(); e < experts; e += kThreads) {
      double f = 0, mean = 0;
      for (int l = 0; l < layerCount; ++l) {
        f += part * share(term, l, e);
        mean += part * layers[l].probability[e] / layers[l].tokens;
      }
      value += factor * f * mean;
      for (int l = 0; l < layerCount; ++l)
        layers[l].slope[static_cast<std::int64_t>(i) * experts + e] = factor * f * part;
    }
    return blockSum(value, joined);
  }
};

}  // namespace

void CudaBackend::finishBalance(const TensorView& totals, std::span<Routing* const> layers, const Recipe& recipe,
                                const GlobalBatchStatistics* global) {
  const auto timed = queue().time("balance");
  if (!layers.empty() && deviceTables(*layers[0]) != nullptr) {
    written(totals);
    std::vector<RoutingView> rows;
    for (Routing* layer : layers) {
      RoutingTables* const tables = deviceTables(*layer);
      assert(tables != nullptr && tables->terms == static_cast<std::int64_t>(recipe.balance.size()));
      tables->finished = true;
      tables->read = false;
      rows.push_back(tables->view);
    }
    std::vector<TermRow> terms;
    for (std::size_t i = 0; i < recipe.balance.size(); ++i) {
      const Recipe::BalanceTerm& term = recipe.balance[i];
      TermRow row{term.kind,
                  term.normalisation,
                  term.layers,
                  term.counts == Recipe::BalanceTerm::Counts::first,
                  term.coefficient,
                  nullptr,
                  0};
      if (global && !global->empty() && term.kind == Recipe::BalanceTerm::Kind::load &&
          term.scope == Recipe::BalanceTerm::Scope::globalBatch) {
        std::vector<double> counts;
        for (std::size_t l = 0; l < layers.size(); ++l)
          std::ranges::copy(global->counts(l, i), std::back_inserter(counts));
        row.counts = queue().constant(std::span<const double>(counts));
        row.tokens = global->tokens();
      }
      terms.push_back(row);
    }
    const RoutingView* const views = queue().constant(std::span<const RoutingView>(rows));
    const TermRow* const rules = queue().constant(std::span<const TermRow>(terms));
    queue().launch<FinishBalance>({1}, FinishBalance::kThreads / kWarp * 8, at<double>(totals), views, rules,
                                  static_cast<int>(rows.size()), static_cast<int>(terms.size()));
    return;
  }
  const BalanceTotals found = moe::finishBalance(layers, recipe, global);
  const Tensor row = hostTensor(totals.shape, DType::f64);
  row.as<double>()[0] = found.loss - found.zLoss;
  row.as<double>()[1] = found.zLoss;
  std::ranges::copy(found.value, row.as<double>() + 2);
  copy(totals, row);
}

void CudaBackend::updateSelectionBias(const TensorView& bias, const TensorView& counts,
                                      const Recipe::Adjust::SelectionBias& rule) {
  const auto timed = queue().time("selection bias");
  const auto experts = static_cast<int>(bias.elements());
  written(bias);
  queue().launch<MoveBias>({(experts + MoveBias::kThreads - 1) / MoveBias::kThreads}, 0, at<float>(bias),
                           static_cast<const double*>(at<double>(counts)), queue().constant(rule.rate), experts,
                           rule.update == Recipe::Adjust::SelectionBias::Update::sign);
}

}  // namespace moe::cuda
