// The routing pipeline: on the device for the recipes whose every stage it knows, else on the host (host_route.h).
#include <algorithm>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/host_route.h"
#include "core/backend/cuda/route_backward.cuh"
#include "core/backend/cuda/route_tokens.cuh"
#include "core/backend/cuda/routing_tables.h"
#include "core/router/pipeline.h"
#include "core/router/tensor_room.h"

namespace moe::cuda {
namespace {

constexpr int kMostExperts = 512, kMostChoices = kWarp;

/// Tables one behind the other; without memory it only counts.
template <class T>
class Carve {
 public:
  explicit Carve(T* memory = nullptr) : memory_(memory) {}
  T* take(std::int64_t n) {
    T* const at = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (n + 63) / 64 * 64;  // aligned as products and vectors want it
    return at;
  }
  std::int64_t used() const { return used_; }

 private:
  T* memory_;
  std::int64_t used_ = 0;
};

constexpr std::int64_t kSumsOfBlock = sizeof(RoutingSums) / sizeof(double);

void place(RoutingTables& t, Carve<float>& floats, Carve<std::int32_t>& integers, Carve<double>& doubles) {
  RoutingView& view = t.view;
  const std::int64_t T = t.roomTokens, E = view.experts, A = T * view.slots;
  const std::int64_t blocks = (T + kTokensOfBlock - 1) / kTokensOfBlock;
  view.logits = floats.take(T * E);
  view.scores = floats.take(T * E);
  t.dLogits = floats.take(T * E);
  view.logSumExp = floats.take(T);
  view.weight = floats.take(A);
  t.assignmentWeight = floats.take(A);
  view.bias = floats.take(E);
  view.blockProbability = floats.take(blocks * E);
  view.blockImportance = floats.take(blocks * E);
  view.asked = integers.take(A);
  view.load = integers.take(E);
  view.first = integers.take(E);
  view.blockCounts = integers.take(blocks * E);
  view.blockFirst = integers.take(blocks * E);
  t.expertBegin = integers.take(E + 1);
  t.admittedEnd = integers.take(E);
  t.token = integers.take(A);
  t.slot = integers.take(A);
  t.tokenBegin = integers.take(T + 1);
  t.assignmentOf = integers.take(A);
  view.probability = doubles.take(E);
  view.importance = doubles.take(E);
  view.value = doubles.take(t.terms);
  view.slope = doubles.take(t.terms * E);
  view.sums = reinterpret_cast<RoutingSums*>(doubles.take(kSumsOfBlock));
  view.blockSums = reinterpret_cast<RoutingSums*>(doubles.take(blocks * kSumsOfBlock));
}

/// The layer's tables for this many tokens: those of the last step where they are large enough.
RoutingTables& tablesFor(CudaBackend& backend, Routing& routing, std::int64_t tokens, const Recipe& recipe) {
  const auto terms = static_cast<std::int64_t>(recipe.balance.size());
  RoutingTables* tables = deviceTables(routing);
  if (tables == nullptr || tables->roomTokens < tokens || tables->view.experts != recipe.experts.count ||
      tables->view.slots != recipe.select.k || tables->terms != terms) {
    routing.device.reset();
    routing.dispatch.device.reset();
    auto made = std::make_shared<RoutingTables>();
    tables = made.get();
    tables->roomTokens = tokens;
    tables->terms = terms;
    tables->view.experts = recipe.experts.count;
    tables->view.slots = recipe.select.k;
    Carve<float> floats;
    Carve<std::int32_t> integers;
    Carve<double> doubles;
    place(*tables, floats, integers, doubles);
    tables->floats = backend.allocate({floats.used()}, DType::f32);
    tables->integers = backend.allocate({integers.used()}, DType::i32);
    tables->doubles = backend.allocate({doubles.used()}, DType::f64);
    floats = Carve(at<float>(tables->floats));
    integers = Carve(at<std::int32_t>(tables->integers));
    doubles = Carve(at<double>(tables->doubles));
    place(*tables, floats, integers, doubles);
    tables->dispatch = std::make_shared<DispatchTables>();
    routing.device = std::move(made);
  }
  const auto T = static_cast<std::int32_t>(tokens);
  tables->view.tokens = T;
  tables->dispatch->view = {.tokens = T,
                            .experts = tables->view.experts,
                            .room = T * tables->view.slots,
                            .expertBegin = tables->expertBegin,
                            .admittedEnd = tables->admittedEnd,
                            .token = tables->token,
                            .slot = tables->slot,
                            .weight = tables->assignmentWeight,
                            .tokenBegin = tables->tokenBegin,
                            .assignmentOf = tables->assignmentOf,
                            .everyToken = false};
  routing.dispatch.device = tables->dispatch;
  routing.dispatch.tokens = tokens;
  routing.dispatch.experts = tables->view.experts;
  routing.tokens = tokens;
  routing.experts = tables->view.experts;
  routing.slots = tables->view.slots;
  routing.dtype = DType::f32;
  return *tables;
}

TensorView perExpert(float* at, const RoutingView& view) {
  return {at, {view.tokens, view.experts}, DType::f32, Device::cuda};
}

/// Calls `launch` with the experts that a lane holds.
template <class Launch>
void withExpertsOfLane(int experts, const Launch& launch) {
  if (experts <= kWarp) return launch.template operator()<1>();
  if (experts <= 2 * kWarp) return launch.template operator()<2>();
  if (experts <= 4 * kWarp) return launch.template operator()<4>();
  if (experts <= 8 * kWarp) return launch.template operator()<8>();
  launch.template operator()<16>();
}

bool draws(const RoutingDraws& draws) {
  const auto drawn = {&draws.inputJitter,  &draws.noise,      &draws.keepExpert,
                      &draws.randomSecond, &draws.forceToken, &draws.forceExpert};
  return std::ranges::any_of(drawn, [](const TensorView* view) { return !view->empty(); });
}

RouteNumbers numbersOf(const Recipe& recipe) {
  return {static_cast<float>(recipe.weigh.scale), static_cast<float>(recipe.weigh.epsilon)};
}

/// The stages that only the host knows, named as the screen names them.
std::vector<std::string> hostStages(const Recipe& recipe) {
  using Term = Recipe::BalanceTerm;
  std::vector<std::string> stages;
  const auto name = [&](bool only, const char* stage) {
    if (only) stages.emplace_back(stage);
  };
  name(recipe.logits.kind == Recipe::Logits::Kind::none, "routing without a router");
  name(recipe.perturb.inputJitter > 0, "input jitter");
  name(recipe.perturb.noise != Recipe::Perturb::Noise::none, "noise");
  name(recipe.perturb.wholeExpertDropout > 0, "dropout of whole experts");
  name(recipe.adjust.rankBy == Recipe::Adjust::RankBy::sinkhorn, "ranking by a transport plan");
  name(recipe.adjust.expertGroups.has_value(), "expert groups");
  name(recipe.select.kind != Recipe::Select::Kind::topK, "a selection other than top-k");
  name(recipe.select.kind == Recipe::Select::Kind::topK && recipe.select.k > kMostChoices,
       "more than 32 experts a token");
  name(recipe.experts.count > kMostExperts, "more than 512 experts");
  name(recipe.select.randomSecond.has_value(), "a random second expert");
  name(recipe.select.force.has_value(), "forced experts");
  name(!recipe.capacity.dropless(), "capacity");
  for (const Term& term : recipe.balance) {
    const bool known = term.kind == Term::Kind::z || term.kind == Term::Kind::entropy ||
                       (term.kind == Term::Kind::load && term.countsFrom == Term::CountsFrom::selected &&
                        (term.scope == Term::Scope::microBatch || term.scope == Term::Scope::globalBatch));
    if (known) continue;
    stages.push_back("the balance term " + term.name);
  }
  return stages;
}

}  // namespace

std::string hostRouted(const Recipe& recipe) {
  const std::vector<std::string> stages = hostStages(recipe);
  if (stages.empty()) return {};
  std::string text = "The GPU does not know ";
  for (std::size_t i = 0; i < stages.size(); ++i)
    text += (i == 0 ? "" : i + 1 == stages.size() ? " and " : ", ") + stages[i];
  return text + ": these layers are routed on the host, which is slower.";
}

void CudaBackend::route(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const auto timed = queue().time("route");
  const TensorView& sized = input.x.empty() ? input.givenLogits : input.x;
  if (!hostStages(recipe).empty() || draws(input.draws) || sized.empty())
    return routeOnHost(*this, routing, recipe, input);
  RoutingTables& tables = tablesFor(*this, routing, sized.shape[0], recipe);
  tables.read = tables.finished = tables.differentiated = false;
  tables.recipe = recipe;
  tables.sequences = input.sequences;
  tables.step = input.step;
  tables.totalSteps = input.totalSteps;
  tables.phase = input.phase;
  const RoutingView& view = tables.view;
  if (input.givenLogits.empty())
    exactLinear(perExpert(view.logits, view), input.x, input.weights.weight, input.weights.bias);
  else
    copy(perExpert(view.logits, view), input.givenLogits);
  const float* bias = nullptr;
  if (recipe.adjust.selectionBias && !input.deviceSelectionBias.empty()) {
    bias = at<float>(input.deviceSelectionBias);
  } else if (recipe.adjust.selectionBias && !input.selectionBias.empty()) {
    std::vector<float> values(input.selectionBias.size());
    for (std::size_t e = 0; e < values.size(); ++e) values[e] = static_cast<float>(input.selectionBias[e]);
    bias = queue().constant(std::span<const float>(values));
  }
  tables.biased = bias != nullptr;
  const RouteNumbers* const numbers = queue().constant(numbersOf(recipe));
  const int blocks = (view.tokens + kTokensOfBlock - 1) / kTokensOfBlock;
  withExpertsOfLane(view.experts, [&]<int kEach>() {
    using Kernel = RouteTokens<kEach>;
    queue().launch<Kernel>({blocks}, Kernel::sharedBytes(view.experts), view, bias, numbers, recipe.score,
                           recipe.adjust.rankBy, recipe.weigh.kind, queue().counters(), tables.expertBegin,
                           tables.admittedEnd);
  });
  queue().launch<FillDispatch>({blocks}, FillDispatch::sharedBytes(view.slots), view, tables.token, tables.slot,
                               tables.tokenBegin, tables.assignmentOf, tables.assignmentWeight);
}

void CudaBackend::routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                                const Recipe& recipe, const RoutingInput& input, const TensorView& dAssignment) {
  const auto timed = queue().time("route backward");
  RoutingTables* const tables = deviceTables(routing);
  if (tables == nullptr) return routeBackwardOnHost(*this, dWeights, dx, routing, recipe, input, dAssignment);
  const RoutingView& view = tables->view;
  std::vector<TermSlope> terms;
  for (std::size_t i = 0; i < recipe.balance.size(); ++i) {
    const bool all = input.balanceGradient == kAllBalanceTerms;
    const double alone = input.balanceGradient == static_cast<int>(i) ? 1 : 0;
    terms.push_back({recipe.balance[i].kind,
                     static_cast<float>(all ? recipe.balance[i].coefficient * input.lossScale : alone),
                     view.slope + static_cast<std::int64_t>(i) * view.experts});
  }
  const TermSlope* const slopes = terms.empty() ? nullptr : queue().constant(std::span<const TermSlope>(terms));
  const RouteNumbers* const numbers = queue().constant(numbersOf(recipe));
  withExpertsOfLane(view.experts, [&]<int kEach>() {
    using Kernel = RouteBackward<kEach>;
    constexpr int kTokens = Kernel::kThreads / kWarp;
    queue().launch<Kernel>({(view.tokens + kTokens - 1) / kTokens}, 0, tables->dLogits, view,
                           static_cast<const std::int32_t*>(tables->assignmentOf),
                           static_cast<const double*>(at<double>(dAssignment)), numbers, slopes,
                           static_cast<int>(terms.size()), recipe.score, recipe.weigh.kind);
  });
  tables->differentiated = true;
  tables->read = false;
  if (input.x.empty() || !input.givenLogits.empty()) return;
  exactLinearBackward(dx, dWeights.weight, dWeights.bias, perExpert(tables->dLogits, view), input.x,
                      input.weights.weight);
}

void CudaBackend::read(Routing& routing) {
  RoutingTables* const tables = deviceTables(routing);
  if (tables == nullptr || tables->read) return;
  tables->read = true;
  const RoutingView& view = tables->view;
  const auto E = static_cast<std::size_t>(view.experts);
  const HostCopy logits = read(perExpert(view.logits, view)), scores = read(perExpert(view.scores, view));
  const HostCopy bias = read(TensorView{view.bias, {view.experts}, DType::f32, Device::cuda});
  // The lists follow from the scores that the device computed, so that equal choices are shown.
  RoutingInput input;
  input.givenLogits = logits.view();
  if (tables->biased) input.selectionBias = std::span<const float>(bias.span<float>());
  input.sequences = tables->sequences;
  input.step = tables->step;
  input.totalSteps = tables->totalSteps;
  input.phase = tables->phase;
  prepareRouting(routing, tables->recipe, input);
  copy(routing.scores, scores.view());
  routeFromScores(routing, tables->recipe, input);
  if (tables->finished && tables->terms > 0) {
    const HostCopy value = read(TensorView{view.value, {tables->terms}, DType::f64, Device::cuda});
    const HostCopy slope = read(TensorView{view.slope, {tables->terms * view.experts}, DType::f64, Device::cuda});
    for (std::size_t i = 0; i < routing.balance.size(); ++i) {
      routing.balance[i].value = value.span<double>()[i];
      std::vector<double>& own = routing.balanceStatistics[i].slope;
      if (own.size() == E) std::ranges::copy(slope.span<double>().subspan(i * E, E), own.begin());
    }
  }
  if (!tables->differentiated) return;
  const HostCopy dLogits = read(perExpert(tables->dLogits, view));
  ensure(routing.gradients.logits, dLogits.view().shape, DType::f32);
  copy(routing.gradients.logits, dLogits.view());
}

}  // namespace moe::cuda
