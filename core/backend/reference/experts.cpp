#include "core/backend/reference/experts.h"

#include <algorithm>
#include <cassert>

#include "core/backend/activation.h"
#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe::reference {

namespace {

std::int64_t widest(const ExpertsSpec& spec) {
  return spec.hidden.empty() ? 0 : *std::max_element(spec.hidden.begin(), spec.hidden.end());
}

/// One expert's weights in the bank, or their gradients; null where there are none.
template <class S>
struct Expert {
  S *gate, *up, *down, *gateBias, *upBias, *downBias;
};

/// Offsets of expert e in the segments of its bank.
struct Place {
  std::int64_t width = 0, out = 0, hidden = 0, before = 0, wide = 1, index = 0;
  bool linear = false;

  Place(const ExpertsSpec& spec, std::int64_t e)
      : width(spec.width),
        out(spec.outputWidth),
        hidden(spec.hidden[static_cast<std::size_t>(e)]),
        before(spec.hiddenBegin(e)),
        wide(spec.kind == ExpertKind::clampedGlu ? 2 : 1),
        index(e),
        linear(spec.kind == ExpertKind::linear) {}
  std::int64_t inputs() const { return linear ? width : hidden; }  // of `down`

  template <class S>
  Expert<S> of(const ExpertsWeights& bank) const {
    const auto at = [](const TensorView& view, std::int64_t offset) -> S* {
      return view.empty() ? nullptr : view.as<S>() + offset;
    };
    return {at(bank.gate, before * width),
            at(bank.up, wide * before * width),
            at(bank.down, linear ? index * out * width : out * before),
            at(bank.gateBias, before),
            at(bank.upBias, wide * before),
            at(bank.downBias, index * out)};
  }
};

template <class S>
double dot(const S* row, const double* v, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(row[i]) * v[i];
  return sum;
}

/// Gate and up pre-activations (each `hidden` numbers) of input v (D).
template <class S>
void preActivations(double* gate, double* up, const Expert<S>& w, const Place& place, ExpertKind kind,
                    const double* v) {
  const std::int64_t D = place.width;
  const auto affine = [&](const S* weight, const S* bias, std::int64_t row) {
    return dot(weight + row * D, v, D) + (bias ? static_cast<double>(bias[row]) : 0.0);
  };
  for (std::int64_t f = 0; f < place.hidden; ++f) {
    if (kind == ExpertKind::clampedGlu) {
      gate[f] = affine(w.up, w.upBias, 2 * f);
      up[f] = affine(w.up, w.upBias, 2 * f + 1);
    } else {
      if (kind == ExpertKind::glu) gate[f] = affine(w.gate, w.gateBias, f);
      up[f] = affine(w.up, w.upBias, f);
    }
  }
}

double hiddenValue(double gate, double up, const ExpertsSpec& spec) {
  if (spec.kind == ExpertKind::clampedGlu) return clampedGlu(gate, up, spec.alpha, spec.limit);
  return withActivation(spec.activation, [&](auto kind) {
    return spec.kind == ExpertKind::glu ? activate<kind>(gate) * up : activate<kind>(up);
  });
}

/// d hidden / d gate and / d up.
ClampedGluSlope<double> hiddenSlope(double gate, double up, const ExpertsSpec& spec) {
  if (spec.kind == ExpertKind::clampedGlu) return clampedGluSlope(gate, up, spec.alpha, spec.limit);
  return withActivation(spec.activation, [&](auto kind) -> ClampedGluSlope<double> {
    if (spec.kind == ExpertKind::glu) return {activateSlope<kind>(gate) * up, activate<kind>(gate)};
    return {0, activateSlope<kind>(up)};
  });
}

/// What dropout multiplies hidden unit f of token t by.
template <class S>
double kept(const TensorView& keep, const ExpertsSpec& spec, std::int64_t t, std::int64_t f) {
  if (keep.empty()) return 1;
  return static_cast<double>(keep.as<S>()[t * keep.shape[1] + f]) / (1 - spec.dropout);
}

std::int64_t expertOf(const Dispatch& dispatch, std::int32_t assignment) {
  return std::upper_bound(dispatch.expertBegin.begin(), dispatch.expertBegin.end(), assignment) -
         dispatch.expertBegin.begin() - 1;
}

/// Splits working memory into rows, one behind the other.
class Rows {
 public:
  explicit Rows(std::span<double> work) : rest_(work) {}
  double* take(std::int64_t n) {
    double* row = rest_.data();
    rest_ = rest_.subspan(static_cast<std::size_t>(n));
    return row;
  }

 private:
  std::span<double> rest_;
};

/// Adds a gradient summed in f64 to its segment, or writes it there, and clears the sum.
template <class S>
void moveSum(S* out, double* sum, std::int64_t n, Gradients gradients) {
  for (std::int64_t i = 0; i < n; ++i) {
    const bool add = gradients == Gradients::add;
    if (out) out[i] = static_cast<S>((add ? static_cast<double>(out[i]) : 0.0) + sum[i]);
    sum[i] = 0;
  }
}

}  // namespace

std::int64_t expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments) {
  return maxAssignments * 2 * widest(spec);
}

std::int64_t expertsWorkElements(const ExpertsSpec& spec, std::int64_t tokens) {
  const std::int64_t F = std::max(widest(spec), spec.width), D = spec.width, O = spec.outputWidth;
  const std::int64_t rows = 2 * D + 2 * O + 6 * F, sums = 2 * F * D + O * F + 2 * F + O;
  return rows + sums + tokens * D;
}

template <class S>
void expertsForward(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
                    const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep, bool accumulate,
                    std::span<double> work) {
  const std::int64_t D = spec.width, O = spec.outputWidth, W = widest(spec);
  assert(x.shape[1] == D && y.shape[1] == O && x.shape[0] == dispatch.tokens && y.shape[0] == dispatch.tokens);
  assert(saved.empty() || saved.elements() >= expertsSavedElements(spec, dispatch.assignments()));
  Rows rows(work);
  double *v = rows.take(D), *sum = rows.take(O), *gate = rows.take(W), *up = rows.take(W);
  double* hidden = rows.take(std::max(W, D));
  for (std::int64_t t = 0; t < dispatch.tokens; ++t) {
    S* out = y.as<S>() + t * O;
    for (std::int64_t o = 0; o < O; ++o) sum[o] = accumulate ? static_cast<double>(out[o]) : 0;
    const auto begin = dispatch.tokenBegin[static_cast<std::size_t>(t)];
    const auto end = dispatch.tokenBegin[static_cast<std::size_t>(t) + 1];
    for (auto entry = begin; entry < end; ++entry) {
      const std::int32_t a = dispatch.assignmentOf[static_cast<std::size_t>(entry)];
      const Place place(spec, expertOf(dispatch, a));
      const Expert<S> w = place.of<S>(weights);
      const double weight = dispatch.weight[static_cast<std::size_t>(a)];
      const S* in = x.as<S>() + t * D;
      for (std::int64_t d = 0; d < D; ++d) v[d] = static_cast<double>(in[d]) * (spec.weightOnInput ? weight : 1);
      if (place.linear) {
        std::copy_n(v, D, hidden);
      } else {
        preActivations(gate, up, w, place, spec.kind, v);
        for (std::int64_t f = 0; f < place.hidden; ++f)
          hidden[f] = hiddenValue(gate[f], up[f], spec) * kept<S>(keep, spec, t, f);
        S* row = saved.empty() ? nullptr : saved.as<S>() + a * 2 * W;
        for (std::int64_t f = 0; row && f < place.hidden; ++f) {
          row[f] = static_cast<S>(gate[f]);
          row[W + f] = static_cast<S>(up[f]);
        }
      }
      for (std::int64_t o = 0; o < O; ++o) {
        const double value = dot(w.down + o * place.inputs(), hidden, place.inputs()) +
                             (w.downBias ? static_cast<double>(w.downBias[o]) : 0.0);
        sum[o] += (spec.weightOnInput ? 1 : weight) * value;
      }
    }
    for (std::int64_t o = 0; o < O; ++o) out[o] = static_cast<S>(sum[o]);
  }
}

template <class S>
void expertsBackward(const TensorView& dx, const ExpertsWeights& dWeights, std::span<double> dAssignment,
                     const TensorView& dy, const TensorView& x, const TensorView& saved, const Dispatch& dispatch,
                     const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
                     Gradients gradients, std::span<double> work) {
  const std::int64_t D = spec.width, O = spec.outputWidth, W = widest(spec);
  assert(dAssignment.empty() || static_cast<std::int64_t>(dAssignment.size()) == dispatch.assignments());
  std::fill(dAssignment.begin(), dAssignment.end(), 0.0);
  Rows rows(work);
  double *v = rows.take(D), *dv = rows.take(D), *dOut = rows.take(O), *hidden = rows.take(std::max(W, D));
  double *dHidden = rows.take(std::max(W, D)), *dGate = rows.take(W), *dUp = rows.take(W);
  double *sumGate = rows.take(W * D), *sumUp = rows.take(W * D), *sumDown = rows.take(O * std::max(W, D));
  double *sumGateBias = rows.take(W), *sumUpBias = rows.take(W), *sumDownBias = rows.take(O);
  double* sumX = rows.take(dispatch.tokens * D);
  for (std::int64_t e = 0; e < spec.experts(); ++e) {
    const Place place(spec, e);
    const Expert<S> w = place.of<S>(weights), dw = place.of<S>(dWeights);
    const std::int64_t F = place.hidden, I = place.inputs();
    for (auto a = dispatch.expertBegin[static_cast<std::size_t>(e)];
         a < dispatch.admittedEnd[static_cast<std::size_t>(e)]; ++a) {
      const std::int64_t t = dispatch.token[static_cast<std::size_t>(a)];
      const double weight = dispatch.weight[static_cast<std::size_t>(a)];
      const S *in = x.as<S>() + t * D, *row = saved.as<S>() + a * 2 * W, *dyRow = dy.as<S>() + t * O;
      double dWeight = 0;
      for (std::int64_t d = 0; d < D; ++d) {
        v[d] = static_cast<double>(in[d]) * (spec.weightOnInput ? weight : 1);
        dv[d] = 0;
      }
      for (std::int64_t i = 0; i < I; ++i) {
        hidden[i] = place.linear ? v[i] : hiddenValue(row[i], row[W + i], spec) * kept<S>(keep, spec, t, i);
        dHidden[i] = 0;
      }
      for (std::int64_t o = 0; o < O; ++o) {
        const double dyo = static_cast<double>(dyRow[o]);
        dOut[o] = (spec.weightOnInput ? 1 : weight) * dyo;
        const S* down = w.down + o * I;
        if (!spec.weightOnInput)
          dWeight += dyo * (dot(down, hidden, I) + (w.downBias ? static_cast<double>(w.downBias[o]) : 0.0));
        for (std::int64_t i = 0; i < I; ++i) {
          dHidden[i] += dOut[o] * static_cast<double>(down[i]);
          sumDown[o * I + i] += dOut[o] * hidden[i];
        }
        sumDownBias[o] += dOut[o];
      }
      if (place.linear) std::copy_n(dHidden, D, dv);
      for (std::int64_t f = 0; f < F; ++f) {
        const ClampedGluSlope<double> slope = hiddenSlope(row[f], row[W + f], spec);
        const double through = dHidden[f] * kept<S>(keep, spec, t, f);
        dGate[f] = through * slope.gate;
        dUp[f] = through * slope.up;
        const bool interleaved = spec.kind == ExpertKind::clampedGlu;
        const S* gateRow = interleaved ? w.up + 2 * f * D : w.gate ? w.gate + f * D : nullptr;
        const S* upRow = w.up + (interleaved ? 2 * f + 1 : f) * D;
        for (std::int64_t d = 0; d < D; ++d) {
          dv[d] += dUp[f] * static_cast<double>(upRow[d]);
          sumUp[f * D + d] += dUp[f] * v[d];
          if (gateRow) {
            dv[d] += dGate[f] * static_cast<double>(gateRow[d]);
            sumGate[f * D + d] += dGate[f] * v[d];
          }
        }
        sumGateBias[f] += dGate[f];
        sumUpBias[f] += dUp[f];
      }
      for (std::int64_t d = 0; d < D; ++d) {
        if (spec.weightOnInput) dWeight += dv[d] * static_cast<double>(in[d]);
        sumX[t * D + d] += dv[d] * (spec.weightOnInput ? weight : 1);
      }
      if (!dAssignment.empty()) dAssignment[static_cast<std::size_t>(a)] = dWeight;
    }
    moveSum(dw.down, sumDown, O * I, gradients);
    moveSum(dw.downBias, sumDownBias, O, gradients);
    if (spec.kind == ExpertKind::clampedGlu) {
      for (std::int64_t f = 0; f < F; ++f) {
        moveSum(dw.up ? dw.up + 2 * f * D : nullptr, sumGate + f * D, D, gradients);
        moveSum(dw.up ? dw.up + (2 * f + 1) * D : nullptr, sumUp + f * D, D, gradients);
        moveSum(dw.upBias ? dw.upBias + 2 * f : nullptr, sumGateBias + f, 1, gradients);
        moveSum(dw.upBias ? dw.upBias + 2 * f + 1 : nullptr, sumUpBias + f, 1, gradients);
      }
    } else {
      moveSum(dw.gate, sumGate, F * D, gradients);
      moveSum(dw.gateBias, sumGateBias, F, gradients);
      moveSum(dw.up, sumUp, F * D, gradients);
      moveSum(dw.upBias, sumUpBias, F, gradients);
    }
  }
  if (!dx.empty()) moveSum(dx.as<S>(), sumX, dispatch.tokens * D, Gradients::add);
}

}  // namespace moe::reference

namespace moe {

std::int64_t ReferenceBackend::expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments) const {
  return reference::expertsSavedElements(spec, maxAssignments);
}

void ReferenceBackend::experts(const TensorView& y, const TensorView& saved, const TensorView& x,
                               const Dispatch& dispatch, const ExpertsSpec& spec, const ExpertsWeights& weights,
                               const TensorView& keep, bool accumulate) {
  const auto timed = timer_.time("experts");
  const auto work = scratch(reference::expertsWorkElements(spec, dispatch.tokens));
  withScalar(x.dtype, [&]<class S>() {
    reference::expertsForward<S>(y, saved, x, dispatch, spec, weights, keep, accumulate, work);
  });
}

void ReferenceBackend::expertsBackward(const TensorView& dx, const ExpertsWeights& dWeights,
                                       const TensorView& dAssignment, const TensorView& dy, const TensorView& x,
                                       const TensorView& saved, const Dispatch& dispatch, const ExpertsSpec& spec,
                                       const ExpertsWeights& weights, const TensorView& keep, Gradients gradients) {
  const auto timed = timer_.time("experts backward");
  const auto work = scratch(reference::expertsWorkElements(spec, dispatch.tokens));
  withScalar(x.dtype, [&]<class S>() {
    reference::expertsBackward<S>(dx, dWeights, inDispatchOrder(dAssignment, dispatch), dy, x, saved, dispatch, spec,
                                  weights, keep, gradients, work);
  });
}

}  // namespace moe
