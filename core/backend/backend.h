#pragma once
// The one interface to a device. Coarse operations, outputs first, then inputs, then sizes and settings. T tokens are
// flattened batch-major (sequence b, position s: t = b*S + s). "+=" marks an output that is accumulated into; every
// other output is overwritten. Saved views are the backend's own: allocated by the caller with the size the backend
// asks for, written forward, read backward, never read by anyone else.
//
// Contract: asynchronous. What was asked for is done in that order, begins at submit() at the latest, and is read after
// wait(ticket), synchronize() or read(). CPU backends complete at once. Arguments on the host (ids, draws, settings) are
// read within the call: they may change right after it.
// Thread rule: a Backend belongs to one thread. f32 and f64 are chosen by the views' dtype (f64: reference only);
// bf16 is a compute mode of the backend: views stay f32, see Backend::computeType().
// Errors: shapes that do not fit are a programmer's error and assert; running out of memory throws std::bad_alloc.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/backend/backend_options.h"
#include "core/backend/ops/adamw.h"
#include "core/backend/ops/attention.h"
#include "core/backend/ops/experts.h"
#include "core/backend/ops/gradients.h"
#include "core/backend/ops/norm.h"
#include "core/router/balance.h"
#include "core/router/dispatch.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"
#include "core/router/routing_summary.h"
#include "core/tensor/philox.h"
#include "core/tensor/tensor.h"

namespace moe {

/// How far the backend's work had been asked for at some moment; see Backend::submit.
using Ticket = std::uint64_t;

/// What the host reads of a result: the memory itself where the host has it, else a copy.
class HostCopy {
 public:
  explicit HostCopy(const TensorView& onHost) : view_(onHost) {}
  explicit HostCopy(Tensor copy) : copy_(std::move(copy)), view_(copy_.view()) {}
  const TensorView& view() const { return view_; }
  template <class T>
  std::span<const T> span() const {
    return view_.span<T>();
  }

 private:
  Tensor copy_;
  TensorView view_;
};

/// Seconds spent in one operation since the profile was last cleared.
struct OperationTime {
  std::string operation;
  double seconds = 0;
  std::int64_t calls = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;  // "reference", "onednn"
  virtual int threads() const = 0;
  /// From the next operation on; 0: all cores. Other counts group sums otherwise: results differ in the last bits.
  virtual void setThreads(int threads) = 0;
  /// What matrix products are computed in: f32, f64 or bf16 (with f32 accumulation and f32 storage).
  virtual DType computeType() const = 0;

  // Memory. Zeroed, 64-byte aligned.
  virtual Tensor allocate(Shape shape, DType dtype) = 0;
  /// Host memory that `copy` fills without waiting. Read it after wait(ticket).
  virtual Tensor allocateHost(Shape shape, DType dtype) { return hostTensor(shape, dtype); }
  /// Whether work goes on after submit() returns, so that it is worth asking for more before it is waited for.
  virtual bool asynchronous() const { return false; }
  /// Begins what was asked for so far, without waiting for it. Work asked for between two submits is one unit: a device
  /// may keep it and repeat it whole where only its arguments on the host changed.
  virtual Ticket submit() { return 0; }
  /// Returns when everything up to that submit is done.
  virtual void wait(Ticket) { synchronize(); }
  virtual void synchronize() = 0;
  /// Waits, and gives the host the numbers. For every place that looks at what a backend computed.
  virtual HostCopy read(const TensorView& view) {
    synchronize();
    return HostCopy(view);
  }
  virtual void fill(const TensorView& out, double value) = 0;
  /// Converts between f32 and f64. Either side may be on the host; a copy to the host is done when it returns, except
  /// into memory of allocateHost.
  virtual void copy(const TensorView& out, const TensorView& in) = 0;
  virtual void add(const TensorView& out, const TensorView& in) = 0;  // out += in, f32 or f64

  // Embedding. x = tokens[id] (+ positionTable[position]); positionTable may be empty.
  virtual void embedding(const TensorView& x, const TensorView& tokenTable, const TensorView& positionTable,
                         std::span<const std::int32_t> ids, std::span<const std::int32_t> positions) = 0;
  virtual void embeddingBackward(const TensorView& dTokenTable /*+=*/, const TensorView& dPositionTable /*+=*/,
                                 const TensorView& dx, std::span<const std::int32_t> ids,
                                 std::span<const std::int32_t> positions) = 0;

  // Norm over the last axis. rms: weight * x / sqrt(mean(x^2) + eps). layer: weight * (x - mean) / sqrt(var + eps) + bias.
  // statistics (T, 2): mean (0 for rms) and 1/deviation. bias may be empty. dx is accumulated: it is the residual's.
  virtual void norm(const TensorView& y, const TensorView& statistics, const TensorView& x, const TensorView& weight,
                    const TensorView& bias, NormKind kind, double epsilon) = 0;
  virtual void normBackward(const TensorView& dx /*+=*/, const TensorView& dWeight /*+=*/,
                            const TensorView& dBias /*+=*/, const TensorView& dy, const TensorView& x,
                            const TensorView& statistics, const TensorView& weight, NormKind kind) = 0;

  // Linear. y (T,O) = x (T,I) W^T (O,I) + b; accumulate: y += instead. bias, dBias, dx may be empty. `gradients`:
  // of dWeight and dBias.
  virtual void linear(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
                      bool accumulate) = 0;
  virtual void linearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                              const TensorView& dy, const TensorView& x, const TensorView& weight, bool accumulateDx,
                              Gradients gradients = Gradients::add) = 0;

  // Attention. qkv (T, qkvWidth): heads queries, then kvHeads keys, then kvHeads values; not yet rotated.
  virtual std::int64_t attentionSavedElements(const AttentionSpec& spec) const = 0;
  virtual void attention(const TensorView& out /*(T, heads*headWidth)*/, const TensorView& saved, const TensorView& qkv,
                         const AttentionSpec& spec) = 0;
  virtual void attentionBackward(const TensorView& dQkv, const TensorView& dOut, const TensorView& out,
                                 const TensorView& saved, const TensorView& qkv, const AttentionSpec& spec) = 0;
  /// One new token at `position` (sequences = length = 1): appends to the cache and attends over positions 0..position.
  virtual void attentionNext(const TensorView& out, const KeyValueCache& cache, const TensorView& qkv,
                             const AttentionSpec& spec, std::int64_t position) = 0;

  // Routing: the stages of core/router, from logits to dispatch and back. The whole state stands in `routing`; a device
  // may keep the tables to itself (Routing::device) until someone asks for them.
  virtual void route(Routing& routing, const Recipe& recipe, const RoutingInput& input) = 0;
  /// From d(assignment weight) and the balance terms' share to the router's gradients. dx += (the router's input).
  /// dAssignment: (at least A) f64 in dispatch order, as expertsBackward left it; empty: no language loss.
  virtual void routeBackward(const RouterWeights& dWeights /*+=*/, const TensorView& dx /*+=*/, Routing& routing,
                             const Recipe& recipe, const RoutingInput& input, const TensorView& dAssignment) = 0;
  /// Between the forward of all layers and backward: see moe::finishBalance. totals (2 + terms) f64: sum of coefficient
  /// * value of all but the z terms, the same of the z terms, then each term's own value.
  virtual void finishBalance(const TensorView& totals, std::span<Routing* const> layers, const Recipe& recipe,
                             const GlobalBatchStatistics* global) = 0;
  /// What a step says about this routing, added up on its device: out (RoutingSummary::size(E, terms)) f64, see there.
  virtual void summarise(const TensorView& out, const Routing& routing, const Recipe& recipe, bool measuring) = 0;
  /// The rule of adjust.selection_bias: moves bias (E) f32 by the counts (E) f64 of a step's assignments.
  virtual void updateSelectionBias(const TensorView& bias, const TensorView& counts,
                                   const Recipe::Adjust::SelectionBias& rule) = 0;
  /// Fills the tables of `routing` on the host where a device still holds them. Waits.
  virtual void read(Routing&) {}

  // Experts over a dispatch. y (T,O) = sum over a token's admitted assignments (accumulate: +=).
  // saved: empty where no backward follows.
  // keep: (T, max F) of 0/1 in x's dtype, one mask a token, shared by its experts; empty: no dropout, whatever spec says.
  virtual std::int64_t expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments) const = 0;
  virtual void experts(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
                       const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
                       bool accumulate) = 0;
  /// dAssignment (at least A) f64: gradient of each assignment's weight, in dispatch order; 0 for the dropped. May be
  /// empty.
  virtual void expertsBackward(const TensorView& dx /*+=*/, const ExpertsWeights& dWeights,
                               const TensorView& dAssignment, const TensorView& dy, const TensorView& x,
                               const TensorView& saved, const Dispatch& dispatch, const ExpertsSpec& spec,
                               const ExpertsWeights& weights, const TensorView& keep,
                               Gradients gradients = Gradients::add) = 0;

  // Cross-entropy. losses (T), in the logits' dtype: nats of each target (0 where target < 0: masked). With
  // gradientScale != 0 the logits (T,V) are overwritten by their gradient times it; with 0 they keep their values.
  virtual void crossEntropy(const TensorView& losses, const TensorView& logits /*in, out*/,
                            std::span<const std::int32_t> targets, double gradientScale) = 0;

  // Sums, accumulated in f64: out (1) f64 = the sum of `in`; out (n) f64 = the squares of each.
  virtual void sum(const TensorView& out, const TensorView& in) = 0;
  virtual void sumOfSquares(const TensorView& out, std::span<const TensorView> in) = 0;

  // Optimizer, over all segments at once.
  /// update (2) f64 = {norm, scale}: norm = sqrt(sum of squares (n)); scale = clip / norm where 0 < clip < norm, else 1;
  /// 0 where norm or loss (1) is not finite, which keeps adamw from moving anything.
  virtual void scaleGradients(const TensorView& update, const TensorView& squares, const TensorView& loss,
                              double clip) = 0;
  /// Gradients are multiplied by update's scale; 0: every part stays as it is. update may be empty: 1.
  virtual void adamw(std::span<const AdamWPart> parts, const AdamWSettings& settings, const TensorView& update) = 0;
  /// Parameters at this view changed other than by adamw (loaded, edited): copies a backend keeps of them are stale.
  virtual void parametersChanged(const TensorView& parameter) = 0;

  /// Time by operation; empty unless profiling was switched on.
  virtual void setProfiling(bool on) = 0;
  virtual std::vector<OperationTime> profile() const = 0;
};

/// Whether this backend computes in this type on this processor.
bool canCompute(const std::string& backend, DType type);
/// Bytes of the code that this backend generates for that type, once a process, beside what a run holds.
std::int64_t codeBytes(const std::string& backend, DType type);
/// Throws Error("backend") for an unknown name or a compute type this backend or processor cannot do.
std::unique_ptr<Backend> makeBackend(const BackendOptions& options);

}  // namespace moe
