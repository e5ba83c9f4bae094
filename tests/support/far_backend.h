#pragma once
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"

namespace moe::test {

/// A device without one: the reference backend behind addresses that nobody may touch, whose copies to the host are there
/// when they are waited for and no sooner. Code that takes a device's tensors for the host's ends on its first look.
/// Keeps a list of what was asked for, and counts what made the host wait.
class FarBackend : public Backend {
 public:
  explicit FarBackend(DType computeType = DType::f32) : inner_(computeType) {}

  std::string name() const override { return "far"; }
  int threads() const override { return inner_.threads(); }
  void setThreads(int threads) override { inner_.setThreads(threads); }
  DType computeType() const override { return inner_.computeType(); }
  bool asynchronous() const override { return true; }

  /// What was asked for between the last two submits, operations with their addresses; what lies on the host is told
  /// apart by nothing.
  const std::vector<std::string>& lastUnit() const { return lastUnit_; }
  int waits() const { return waits_; }

  Tensor allocate(Shape shape, DType dtype) override {
    ++allocations_;
    auto memory = std::make_shared<Tensor>(inner_.allocate(shape, dtype));
    const std::size_t bytes = memory->view().bytes() + 1;  // an address of its own even where it is empty
    void* const data = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    auto* const begin = static_cast<std::byte*>(data);
    (*ranges_)[begin] = {begin + bytes, static_cast<std::byte*>(memory->view().data)};
    return {data, shape, dtype, Device::cuda, [memory, bytes, ranges = ranges_](void* at) {
              ranges->erase(static_cast<std::byte*>(at));
              ::munmap(at, bytes);
            }};
  }
  Tensor allocateHost(Shape shape, DType dtype) override {
    auto memory = std::make_shared<Tensor>(hostTensor(shape, dtype));
    void* const data = memory->view().data;
    late_->insert(data);
    return {data, shape, dtype, Device::host, [memory, late = late_](void* at) { late->erase(at); }};
  }
  std::int64_t allocations() const { return allocations_; }

  Ticket submit() override {
    lastUnit_ = std::exchange(unit_, {});
    return ++submitted_;
  }
  void wait(Ticket ticket) override {
    ++waits_;
    deliver(ticket);
  }
  void synchronize() override {
    ++waits_;
    deliver(submitted_ + 1);
  }
  HostCopy read(const TensorView& view) override {
    synchronize();
    Tensor copy = hostTensor(view.shape, view.dtype);
    if (!view.empty()) inner_.copy(copy, here(view));
    return HostCopy(std::move(copy));
  }

  void fill(const TensorView& out, double value) override {
    asked("fill", {out});
    inner_.fill(here(out), value);
  }
  void copy(const TensorView& out, const TensorView& in) override {
    if (out.empty()) return;
    if (out.device == Device::host && late_->contains(out.data)) {
      asked("copy to the host", {in});
      Tensor snapshot = hostTensor(out.shape, out.dtype);
      inner_.copy(snapshot, here(in));
      pending_.push_back({submitted_ + 1, out, std::move(snapshot)});
      return;
    }
    if (out.device == Device::host) synchronize();
    asked("copy", {out.device == Device::host ? TensorView{} : out, in.device == Device::host ? TensorView{} : in});
    inner_.copy(out.device == Device::host ? out : here(out), in.device == Device::host ? in : here(in));
  }
  void add(const TensorView& out, const TensorView& in) override {
    asked("add", {out, in});
    inner_.add(here(out), here(in));
  }

  void embedding(const TensorView& x, const TensorView& tokenTable, const TensorView& positionTable,
                 std::span<const std::int32_t> ids, std::span<const std::int32_t> positions) override {
    asked("embedding", {x, tokenTable, positionTable});
    inner_.embedding(here(x), here(tokenTable), here(positionTable), ids, positions);
  }
  void embeddingBackward(const TensorView& dTokenTable, const TensorView& dPositionTable, const TensorView& dx,
                         std::span<const std::int32_t> ids, std::span<const std::int32_t> positions) override {
    asked("embedding backward", {dTokenTable, dPositionTable, dx});
    inner_.embeddingBackward(here(dTokenTable), here(dPositionTable), here(dx), ids, positions);
  }
  void norm(const TensorView& y, const TensorView& statistics, const TensorView& x, const TensorView& weight,
            const TensorView& bias, NormKind kind, double epsilon) override {
    asked("norm", {y, statistics, x, weight, bias});
    inner_.norm(here(y), here(statistics), here(x), here(weight), here(bias), kind, epsilon);
  }
  void normBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias, const TensorView& dy,
                    const TensorView& x, const TensorView& statistics, const TensorView& weight,
                    NormKind kind) override {
    asked("norm backward", {dx, dWeight, dBias, dy, x, statistics, weight});
    inner_.normBackward(here(dx), here(dWeight), here(dBias), here(dy), here(x), here(statistics), here(weight), kind);
  }
  void linear(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
              bool accumulate) override {
    asked("linear", {y, x, weight, bias});
    inner_.linear(here(y), here(x), here(weight), here(bias), accumulate);
  }
  void linearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias, const TensorView& dy,
                      const TensorView& x, const TensorView& weight, bool accumulateDx, Gradients gradients) override {
    asked("linear backward", {dx, dWeight, dBias, dy, x, weight});
    inner_.linearBackward(here(dx), here(dWeight), here(dBias), here(dy), here(x), here(weight), accumulateDx,
                          gradients);
  }
  std::int64_t attentionSavedElements(const AttentionSpec& spec) const override {
    return inner_.attentionSavedElements(spec);
  }
  void attention(const TensorView& out, const TensorView& saved, const TensorView& qkv,
                 const AttentionSpec& spec) override {
    asked("attention", {out, saved, qkv});
    inner_.attention(here(out), here(saved), here(qkv), spec);
  }
  void attentionBackward(const TensorView& dQkv, const TensorView& dOut, const TensorView& out, const TensorView& saved,
                         const TensorView& qkv, const AttentionSpec& spec) override {
    asked("attention backward", {dQkv, dOut, out, saved, qkv});
    inner_.attentionBackward(here(dQkv), here(dOut), here(out), here(saved), here(qkv), spec);
  }
  void attentionNext(const TensorView& out, const KeyValueCache& cache, const TensorView& qkv,
                     const AttentionSpec& spec, std::int64_t position) override {
    asked("attention next", {out, cache.keys, cache.values, qkv});
    inner_.attentionNext(here(out), {here(cache.keys), here(cache.values)}, here(qkv), spec, position);
  }

  void route(Routing& routing, const Recipe& recipe, const RoutingInput& input) override {
    asked("route", {input.x, input.givenLogits, input.weights.weight, input.deviceSelectionBias});
    Tables& tables = tablesOf(routing);
    inner_.route(tables.routing, recipe, here(input));
    routing.tokens = tables.routing.tokens;
    routing.experts = tables.routing.experts;
    routing.slots = tables.routing.slots;
    routing.dtype = tables.routing.dtype;
    routing.dispatch.tokens = tables.routing.dispatch.tokens;
    routing.dispatch.experts = tables.routing.dispatch.experts;
  }
  void routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing, const Recipe& recipe,
                     const RoutingInput& input, const TensorView& dAssignment) override {
    asked("route backward", {dWeights.weight, dx, input.x, dAssignment});
    inner_.routeBackward(here(dWeights), here(dx), known(routing.device).routing, recipe, here(input),
                         here(dAssignment));
  }
  void finishBalance(const TensorView& totals, std::span<Routing* const> layers, const Recipe& recipe,
                     const GlobalBatchStatistics* global) override {
    asked("balance", {totals});
    std::vector<Routing*> own;
    for (Routing* layer : layers) own.push_back(&known(layer->device).routing);
    inner_.finishBalance(here(totals), own, recipe, global);
  }
  void summarise(const TensorView& out, const Routing& routing, const Recipe& recipe, bool measuring) override {
    asked("summary", {out});
    inner_.summarise(here(out), known(routing.device).routing, recipe, measuring);
  }
  void updateSelectionBias(const TensorView& bias, const TensorView& counts,
                           const Recipe::Adjust::SelectionBias& rule) override {
    asked("selection bias", {bias, counts});
    inner_.updateSelectionBias(here(bias), here(counts), rule);
  }
  void read(Routing& routing) override {
    synchronize();
    if (routing.device) copyTables(routing, known(routing.device).routing);
  }

  std::int64_t expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments) const override {
    return inner_.expertsSavedElements(spec, maxAssignments);
  }
  void experts(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
               const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
               bool accumulate) override {
    asked("experts", {y, saved, x, weights.down, keep});
    inner_.experts(here(y), here(saved), here(x), here(dispatch), spec, here(weights), here(keep), accumulate);
  }
  void expertsBackward(const TensorView& dx, const ExpertsWeights& dWeights, const TensorView& dAssignment,
                       const TensorView& dy, const TensorView& x, const TensorView& saved, const Dispatch& dispatch,
                       const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
                       Gradients gradients) override {
    asked("experts backward", {dx, dWeights.down, dAssignment, dy, x, saved, weights.down, keep});
    inner_.expertsBackward(here(dx), here(dWeights), here(dAssignment), here(dy), here(x), here(saved), here(dispatch),
                           spec, here(weights), here(keep), gradients);
  }

  void crossEntropy(const TensorView& losses, const TensorView& logits, std::span<const std::int32_t> targets,
                    double gradientScale) override {
    asked("cross-entropy", {losses, logits});
    inner_.crossEntropy(here(losses), here(logits), targets, gradientScale);
  }
  void sum(const TensorView& out, const TensorView& in) override {
    asked("sum", {out, in});
    inner_.sum(here(out), here(in));
  }
  void sumOfSquares(const TensorView& out, std::span<const TensorView> in) override {
    asked("sum of squares", {out});
    std::vector<TensorView> own;
    for (const TensorView& view : in) own.push_back(here(view));
    inner_.sumOfSquares(here(out), own);
  }
  void scaleGradients(const TensorView& update, const TensorView& squares, const TensorView& loss,
                      double clip) override {
    asked("scale gradients", {update, squares, loss});
    inner_.scaleGradients(here(update), here(squares), here(loss), clip);
  }
  void adamw(std::span<const AdamWPart> parts, const AdamWSettings& settings, const TensorView& update) override {
    asked("adamw", {update});
    std::vector<AdamWPart> own;
    for (const AdamWPart& part : parts) {
      asked("part", {part.parameter, part.m, part.v, part.gradient});
      own.push_back({here(part.parameter), here(part.m), here(part.v), here(part.gradient), part.weightDecay});
    }
    inner_.adamw(own, settings, here(update));
  }
  void parametersChanged(const TensorView& parameter) override { inner_.parametersChanged(here(parameter)); }

  void setProfiling(bool on) override { inner_.setProfiling(on); }
  std::vector<OperationTime> profile() const override { return inner_.profile(); }

 private:
  struct Range {
    std::byte *end, *own;
  };
  struct Tables : DeviceTables {
    Routing routing;
  };
  struct Pending {
    Ticket ticket;
    TensorView out;
    Tensor snapshot;
  };

  /// Where the reference backend has it. A host's tensor has no place here.
  TensorView here(const TensorView& view) const {
    if (view.data == nullptr) return view;
    auto* const data = static_cast<std::byte*>(view.data);
    auto range = ranges_->upper_bound(data);
    if (view.device != Device::cuda || range == ranges_->begin()) throw std::logic_error("a host's tensor went far");
    --range;
    if (data + view.bytes() > range->second.end) throw std::logic_error("a view runs out of its tensor");
    return {range->second.own + (data - range->first), view.shape, view.dtype, Device::host};
  }
  RouterWeights here(const RouterWeights& weights) const {
    return {here(weights.weight), here(weights.bias), here(weights.noiseWeight)};
  }
  ExpertsWeights here(const ExpertsWeights& weights) const {
    return {here(weights.gate),     here(weights.up),     here(weights.down),
            here(weights.gateBias), here(weights.upBias), here(weights.downBias)};
  }
  RoutingInput here(RoutingInput input) const {
    for (const TensorView* draw : {&input.draws.inputJitter, &input.draws.noise, &input.draws.keepExpert,
                                   &input.draws.randomSecond, &input.draws.forceToken, &input.draws.forceExpert})
      if (draw->device != Device::host) throw std::logic_error("draws stay on the host");
    input.x = here(input.x);
    input.givenLogits = here(input.givenLogits);
    input.weights = here(input.weights);
    input.deviceSelectionBias = here(input.deviceSelectionBias);
    return input;
  }
  const Dispatch& here(const Dispatch& dispatch) const {
    return dispatch.device ? known(dispatch.device).routing.dispatch : dispatch;
  }
  static Tables& known(const std::shared_ptr<DeviceTables>& tables) { return dynamic_cast<Tables&>(*tables); }

  /// This routing's, and nothing left on the host of what was there.
  Tables& tablesOf(Routing& routing) {
    auto tables = std::dynamic_pointer_cast<Tables>(routing.device);
    if (!tables) tables = std::make_shared<Tables>();
    routing = {};
    routing.device = routing.dispatch.device = tables;
    return *tables;
  }
  static void copyTensor(Tensor& to, const Tensor& from) {
    to = from.empty() ? Tensor() : hostTensor(from.shape(), from.dtype());
    if (!from.empty()) std::memcpy(to.view().data, from.view().data, from.view().bytes());
  }
  static void copyTables(Routing& to, const Routing& from) {
    to.tokens = from.tokens, to.experts = from.experts, to.slots = from.slots, to.dtype = from.dtype;
    for (const auto member : {&Routing::routerInput, &Routing::logits, &Routing::noiseLogits, &Routing::noiseDeviation,
                              &Routing::noisyLogits, &Routing::scores, &Routing::ranking, &Routing::groupScores,
                              &Routing::askedWeight, &Routing::finalWeight})
      copyTensor(to.*member, from.*member);
    for (const auto member : {&Routing::groupIndex, &Routing::beforeForce, &Routing::asked, &Routing::position,
                              &Routing::final, &Routing::expertTokens, &Routing::unadjusted})
      to.*member = from.*member;
    to.wantsSlot = from.wantsSlot, to.logSumExp = from.logSumExp, to.load = from.load;
    to.transport = from.transport;
    to.capacitySlots = from.capacitySlots, to.dropped = from.dropped, to.skipped = from.skipped;
    const std::shared_ptr<DeviceTables> device = to.dispatch.device;
    to.dispatch = from.dispatch;
    to.dispatch.device = device;
    to.balance = from.balance, to.balanceStatistics = from.balanceStatistics, to.setChanged = from.setChanged;
    for (const auto member : {&RoutingGradients::logits, &RoutingGradients::noiseLogits, &RoutingGradients::noisyLogits,
                              &RoutingGradients::deviation, &RoutingGradients::scores, &RoutingGradients::weight})
      copyTensor(to.gradients.*member, from.gradients.*member);
  }

  void deliver(Ticket until) {
    std::erase_if(pending_, [&](const Pending& one) {
      if (one.ticket > until) return false;
      std::memcpy(one.out.data, one.snapshot.view().data, one.out.bytes());
      return true;
    });
  }
  void asked(const std::string& operation, std::initializer_list<TensorView> views) {
    std::string line = operation;
    for (const TensorView& view : views)
      line += " " + std::to_string(reinterpret_cast<std::uintptr_t>(view.data)) + view.shape.text();
    unit_.push_back(std::move(line));
  }

  ReferenceBackend inner_;
  std::shared_ptr<std::map<std::byte*, Range>> ranges_ = std::make_shared<std::map<std::byte*, Range>>();
  std::shared_ptr<std::set<void*>> late_ = std::make_shared<std::set<void*>>();  // memory of allocateHost
  std::vector<Pending> pending_;
  std::vector<std::string> unit_, lastUnit_;
  Ticket submitted_ = 0;
  int waits_ = 0;
  std::int64_t allocations_ = 0;
};

}  // namespace moe::test
