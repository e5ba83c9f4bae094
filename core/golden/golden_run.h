#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/ops/experts.h"
#include "core/backend/ops/gradients.h"
#include "core/golden/golden_roles.h"
#include "core/golden/golden_vector.h"
#include "core/model/mixture_head.h"
#include "core/model/moe_layer.h"
#include "core/router/routing.h"

namespace moe {

class Backend;

/// What is differentiated.
struct GoldenObjective {
  bool output = false;                  // sum(output * grad_output), or sum(topk_weight * grad_weight)
  int balance = kNoBalanceTerms;        // kAllBalanceTerms: with their coefficients; an index: that term alone, without
  std::optional<std::size_t> headLoss;  // that loss of the head alone, without its coefficient
  bool allHeadLosses = false;           // with their coefficients
};

/// One case of a golden vector on one backend, through the path that training takes: Backend, MoeLayer, finishBalance.
/// Each part runs when it is first asked for. Belongs to the backend's thread.
class GoldenRun {
 public:
  GoldenRun(Backend& backend, DType dtype, const GoldenVector& file, const GoldenCase& one);

  const GoldenVector& file() const { return file_; }
  const Recipe& recipe() const { return case_.recipe; }
  const GoldenSizes& sizes() const { return sizes_; }
  Backend& backend() { return backend_; }
  DType dtype() const { return dtype_; }

  /// The input of this role in the run's precision, on the backend's device or on the host; empty where there is none.
  TensorView tensor(const std::string& role) const;
  TensorView hostInput(const std::string& role) const;
  /// Elements of any tensor, as f64.
  std::vector<double> numbers(const TensorView& view);
  std::vector<std::int32_t> integers(const std::string& role) const;

  // Forward.
  Routing& routing();
  TensorView output();      // (T, O)
  TensorView moeInput();    // (T, D) what router and experts read
  TensorView denseInput();  // (T, D) what the dense residual reads, normed
  MoeLayer& layer();
  MixtureHead& head();
  MixtureTarget target() const;
  const MoeWeights& weights() const { return weights_; }
  /// Experts of a bank over all tokens with weight 1: (T, O) in `out`.
  void runBank(const TensorView& out, const TensorView& x, const ExpertsSpec& spec, const ExpertsWeights& weights);
  /// The dense feed-forward the experts were made of; empty views where they were not.
  ExpertsWeights denseSource(bool gradient = false) const;
  ExpertsSpec denseSourceSpec() const;
  /// Settings of the router for this run, to route again under changed ones.
  RoutingInput routerInput();

  /// Value of each balance term and head loss by name, without its coefficient; and coefficients by the same names.
  const std::map<std::string, double>& values();
  std::map<std::string, double> coefficients() const;

  /// Gradient of an objective in every differentiable input, by role.
  using Gradients = std::map<std::string, std::vector<double>>;
  const Gradients& gradients(const GoldenObjective& objective);

 private:
  void forward();
  void finish();
  void bind();
  MoeInput layerInput();
  Tensor& gradientOf(const std::string& role);
  MoeWeights gradientWeights();
  void addLogitsGradient(Routing& routing);
  void backwardLayer(const GoldenObjective& objective);
  void backwardWeights(const GoldenObjective& objective);
  void backwardHead(const GoldenObjective& objective);
  void foldIntoDenseSource();
  /// The tensor of whichever role holds a segment of the layer; empty where none does.
  static TensorView findSegment(const std::map<std::string, Tensor>& byRole, std::string_view segment);
  Tensor zeros(Shape shape) { return backend_.allocate(shape, dtype_); }

  Backend& backend_;
  DType dtype_;
  const GoldenVector& file_;
  GoldenCase case_;
  GoldenSizes sizes_;
  std::map<std::string, Tensor> tensors_, hostInputs_;  // by role
  MoeWeights weights_;
  std::vector<double> selectionBias_;
  std::vector<std::int32_t> tokenIds_, hashTable_, headIds_;
  std::int64_t sequences_ = 1;
  // Experts made of a dense feed-forward have no role of their own.
  std::map<std::string, Tensor> bank_, bankGradients_;

  bool forwardDone_ = false;
  Activations activations_{backend_};
  std::unique_ptr<MoeLayer> layer_;
  std::unique_ptr<MixtureHead> head_;
  Routing routing_, otherLayer_;  // routing_: kinds without a layer
  Tensor output_, normed_, normStatistics_, denseNormed_;
  std::map<std::string, double> values_;
  std::map<std::string, Tensor> gradients_;  // of the objective now taken, by role
  std::map<std::string, Gradients> known_;   // by objective
};

}  // namespace moe
