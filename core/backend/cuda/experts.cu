// A bank of experts: grouped products with the activation between them, then each token's sum over its assignments in
// slot order. Saved: the products before bias and activation, a row an assignment, then the hidden values as products
// read them.
#include <algorithm>

#include "core/backend/cuda/activation.cuh"
#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/experts_bank.h"
#include "core/backend/cuda/grouped_product.cuh"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

template <class T>
MOE_DEVICE T fromFloat(float value) {
  if constexpr (sizeof(T) == 2)
    return toBf16(value);
  else
    return value;
}

/// The expert that owns assignment a.
MOE_DEVICE int expertOf(const DispatchView& d, int a) {
  if (d.everyToken) return a / d.tokens;
  int low = 0, high = d.experts;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (d.expertBegin[middle] <= a)
      low = middle;
    else
      high = middle;
  }
  return low;
}
MOE_DEVICE int assignmentsOf(const DispatchView& d) {
  return d.everyToken ? d.experts * d.tokens : d.expertBegin[d.experts];
}
MOE_DEVICE float weightOf(const DispatchView& d, int a) {
  return d.everyToken && d.weight == nullptr ? 1.0f : d.weight[a];
}
MOE_DEVICE int tokenOf(const DispatchView& d, int a) { return d.everyToken ? a % d.tokens : d.token[a]; }

/// What the elementwise kernels know of a hidden unit.
struct HiddenUnits {
  DispatchView dispatch;
  Bank bank;
  ExpertKind kind;
  Activation activation;
  float alpha, limit;
  bool weightOnInput;
  const float *gateBias, *upBias;
  const float* keep;  // (T, keepWidth), or null
  std::int64_t keepWidth;
  float keptScale;
  const float* raw;  // (A, rawStride): glu gate then up; clamped glu pairs; mlp up
  std::int64_t rawStride;
  int widest;

  struct Unit {
    float gate = 0, up = 0, rawGate = 0, rawUp = 0, kept = 1;
  };
  MOE_DEVICE Unit unit(int a, int e, int f, float onInput) const {
    Unit u;
    const float* const row = raw + a * rawStride;
    const std::int64_t h = bank.hiddenBegin[e] + f;
    if (kind == ExpertKind::clampedGlu) {
      u.rawGate = row[2 * f];
      u.rawUp = row[2 * f + 1];
      u.gate = onInput * u.rawGate + (upBias != nullptr ? upBias[2 * h] : 0);
      u.up = onInput * u.rawUp + (upBias != nullptr ? upBias[2 * h + 1] : 0);
    } else {
      if (kind == ExpertKind::glu) {
        u.rawGate = row[f];
        u.gate = onInput * u.rawGate + (gateBias != nullptr ? gateBias[h] : 0);
      }
      u.rawUp = row[kind == ExpertKind::glu ? widest + f : f];
      u.up = onInput * u.rawUp + (upBias != nullptr ? upBias[h] : 0);
    }
    if (keep != nullptr) u.kept = keep[tokenOf(dispatch, a) * keepWidth + f] * keptScale;
    return u;
  }
  MOE_DEVICE float value(const Unit& u) const {
    if (kind == ExpertKind::clampedGlu) return clampedGluOf(u.gate, u.up, alpha, limit);
    return kind == ExpertKind::glu ? activated(activation, u.gate) * u.up : activated(activation, u.up);
  }
  MOE_DEVICE void slope(const Unit& u, float& gate, float& up) const {
    if (kind == ExpertKind::clampedGlu) return clampedGluSlopeOf(u.gate, u.up, alpha, limit, gate, up);
    if (kind == ExpertKind::glu) {
      gate = activatedSlope(activation, u.gate) * u.up;
      up = activated(activation, u.gate);
    } else {
      gate = 0;
      up = activatedSlope(activation, u.up);
    }
  }
};

constexpr int kRowsOfBlock = 8;  // a warp each

template <class T>
struct HiddenForward {
  static constexpr int kThreads = kRowsOfBlock * kWarp;
  static constexpr const char* kName = "experts' activation";
  HiddenUnits units;
  T* hidden;  // (A, widest)

  MOE_DEVICE void operator()() const {
    const int a = block().x * kRowsOfBlock + warp();
    if (a >= assignmentsOf(units.dispatch)) return;
    const int e = expertOf(units.dispatch, a);
    if (a >= endOf(units.dispatch, e)) return;
    const float onInput = units.weightOnInput ? weightOf(units.dispatch, a) : 1;
    const int F = units.bank.hidden(e);
    for (int f = lane(); f < F; f += kWarp) {
      const auto u = units.unit(a, e, f, onInput);
      hidden[static_cast<std::int64_t>(a) * units.widest + f] = fromFloat<T>(units.value(u) * u.kept);
    }
  }
};

/// From dy . W_down (unweighted) to what the products of backward read, and to the assignment's own gradient.
template <class T>
struct HiddenBackward {
  static constexpr int kThreads = kRowsOfBlock * kWarp;
  static constexpr const char* kName = "experts' activation backward";
  HiddenUnits units;
  const float* dHidden;   // (A, widest)
  const float* dy;        // (T, outputs)
  const float* downBias;  // (E, outputs), or null
  int outputs;
  T *dRaw, *weightedHidden;  // (A, rawStride) times the weight where it is on the input; (A, widest)
  float* dPre;               // (A, rawStride) without it, for the biases; null where it is the same
  double* dAssignment;       // or null

  MOE_DEVICE void operator()() const {
    const int a = block().x * kRowsOfBlock + warp();
    if (a >= assignmentsOf(units.dispatch)) return;
    const int e = expertOf(units.dispatch, a);
    if (a >= endOf(units.dispatch, e)) {
      if (dAssignment != nullptr && lane() == 0) dAssignment[a] = 0;
      return;
    }
    const float weight = weightOf(units.dispatch, a);
    const float onInput = units.weightOnInput ? weight : 1, onOutput = units.weightOnInput ? 1 : weight;
    const int F = units.bank.hidden(e);
    T* const to = dRaw + a * units.rawStride;
    float slopeOfWeight = 0;
    for (int f = lane(); f < F; f += kWarp) {
      const auto u = units.unit(a, e, f, onInput);
      const float value = units.value(u) * u.kept, through = dHidden[static_cast<std::int64_t>(a) * units.widest + f];
      float gate, up;
      units.slope(u, gate, up);
      gate *= onOutput * through * u.kept;
      up *= onOutput * through * u.kept;
      weightedHidden[static_cast<std::int64_t>(a) * units.widest + f] = fromFloat<T>(onOutput * value);
      slopeOfWeight += units.weightOnInput ? gate * u.rawGate + up * u.rawUp : through * value;
      const int gateAt = units.kind == ExpertKind::clampedGlu ? 2 * f : f;
      const int upAt = units.kind == ExpertKind::clampedGlu ? 2 * f + 1
                       : units.kind == ExpertKind::glu      ? units.widest + f
                                                            : f;
      if (units.kind != ExpertKind::mlp) to[gateAt] = fromFloat<T>(onInput * gate);
      to[upAt] = fromFloat<T>(onInput * up);
      if (dPre != nullptr) {
        if (units.kind != ExpertKind::mlp) dPre[a * units.rawStride + gateAt] = gate;
        dPre[a * units.rawStride + upAt] = up;
      }
    }
    if (dAssignment == nullptr) return;
    if (!units.weightOnInput && downBias != nullptr)
      for (int o = lane(); o < outputs; o += kWarp)
        slopeOfWeight += dy[static_cast<std::int64_t>(tokenOf(units.dispatch, a)) * outputs + o] *
                         downBias[static_cast<std::int64_t>(e) * outputs + o];
    slopeOfWeight = warpSum(slopeOfWeight);
    if (lane() == 0) dAssignment[a] = static_cast<double>(slopeOfWeight);
  }
};

/// Linear experts: the rows that their weights' gradients read, x times the weight, and the assignment's own gradient.
template <class T>
struct LinearBackward {
  static constexpr int kThreads = kRowsOfBlock * kWarp;
  static constexpr const char* kName = "linear experts backward";
  DispatchView dispatch;
  const float *x, *dRow;  // (T, D); (A, D) dy . W
  const float *dy, *downBias;
  int width, outputs;
  bool weightOnInput;
  T* weighted;  // (A, D)
  double* dAssignment;

  MOE_DEVICE void operator()() const {
    const int a = block().x * kRowsOfBlock + warp();
    if (a >= assignmentsOf(dispatch)) return;
    const int e = expertOf(dispatch, a);
    if (a >= endOf(dispatch, e)) {
      if (dAssignment != nullptr && lane() == 0) dAssignment[a] = 0;
      return;
    }
    const std::int64_t t = tokenOf(dispatch, a);
    const float weight = weightOf(dispatch, a);
    float slope = 0;
    for (int d = lane(); d < width; d += kWarp) {
      const float value = x[t * width + d];
      weighted[static_cast<std::int64_t>(a) * width + d] = fromFloat<T>(weight * value);
      slope += value * dRow[static_cast<std::int64_t>(a) * width + d];
    }
    if (dAssignment == nullptr) return;
    if (!weightOnInput && downBias != nullptr)
      for (int o = lane(); o < outputs; o += kWarp)
        slope += dy[t * outputs + o] * downBias[static_cast<std::int64_t>(e) * outputs + o];
    slope = warpSum(slope);
    if (lane() == 0) dAssignment[a] = static_cast<double>(slope);
  }
};

/// out[t] (+)= over t's admitted assignments in slot order: rowWeight * row + biasWeight * the expert's bias.
template <int kN>
struct Combine {
  static constexpr int kThreads = 128;
  static constexpr const char* kName = "sum over a token's experts";
  DispatchView dispatch;
  float* out;
  BFloat16* copy;
  const float *rows, *bias;  // (A, width); (E, width) or null
  int width;
  bool rowWeighted, biasWeighted, accumulate;

  MOE_DEVICE void operator()() const {
    const int t = block().x;
    const int begin = dispatch.everyToken ? 0 : dispatch.tokenBegin[t];
    const int end = dispatch.everyToken ? dispatch.experts : dispatch.tokenBegin[t + 1];
    for (int i = threadOfBlock() * kN; i < width; i += kThreads * kN) {
      const std::int64_t at = static_cast<std::int64_t>(t) * width + i;
      float sum[kN];
      clear(sum);
      if (accumulate) load(sum, out + at);
      for (int entry = begin; entry < end; ++entry) {
        const int a = dispatch.everyToken ? entry * dispatch.tokens + t : dispatch.assignmentOf[entry];
        const float weight = weightOf(dispatch, a);
        float row[kN];
        load(row, rows + static_cast<std::int64_t>(a) * width + i);
        for (int j = 0; j < kN; ++j) sum[j] += (rowWeighted ? weight : 1.0f) * row[j];
        if (bias == nullptr) continue;
        const std::int64_t e = dispatch.everyToken ? entry : expertOf(dispatch, a);
        for (int j = 0; j < kN; ++j) sum[j] += (biasWeighted ? weight : 1.0f) * bias[e * width + i + j];
      }
      store(out + at, sum);
      if (copy != nullptr) store(copy + at, sum);
    }
  }
};

/// A bank's bias gradient: sums of an expert's rows, each times its weight where asked. A block a column group, chunk and
/// expert; the last chunk to arrive adds them up.
struct BankBiasGradient {
  static constexpr int kThreads = 256, kWarps = kThreads / kWarp;
  static constexpr int kSharedBytes = kThreads * static_cast<int>(sizeof(float));
  static constexpr const char* kName = "experts' bias gradients";
  DispatchView dispatch;
  Bank bank;
  PerExpert columns, at;  // of the bias: how many, and where they begin
  RowTable<float> rows;
  const BFloat16* rows16;  // instead of rows.data, where products read bf16
  bool weighted, add;
  float *out, *partial;  // partial: (E, chunks, most columns)
  int* counters;
  int mostColumns;

  MOE_DEVICE float together(float sum, float* room) const {
    sync();
    room[threadOfBlock()] = sum;
    sync();
    sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += room[w * kWarp + lane()];
    return sum;
  }
  MOE_DEVICE void operator()() const {
    const int e = block().z, n = bank.size(columns, e), column = block().x * kWarp + lane(), chunks = blocks().y;
    const int begin = beginOf(dispatch, e), count = endOf(dispatch, e) - begin;
    const int from = begin + static_cast<int>(static_cast<std::int64_t>(count) * block().y / chunks);
    const int to = begin + static_cast<int>(static_cast<std::int64_t>(count) * (block().y + 1) / chunks);
    if (block().x * kWarp >= n) return;
    float sum = 0;
    if (column < n)
      for (int a = from + warp(); a < to; a += kWarps) {
        const float value =
            rows16 != nullptr ? fromBf16(rows16[a * rows.stride + column]) : rows.row(dispatch, a)[column];
        sum += (weighted ? weightOf(dispatch, a) : 1.0f) * value;
      }
    float* const room = shared<float>();
    sum = together(sum, room);
    float* const mine = partial + static_cast<std::int64_t>(e) * chunks * mostColumns;
    if (warp() == 0 && column < n) mine[static_cast<std::int64_t>(block().y) * mostColumns + column] = sum;
    if (!arrivedLast(counters + e * blocks().x + block().x, chunks)) return;
    if (warp() != 0 || column >= n) return;
    sum = 0;
    for (int chunk = 0; chunk < chunks; ++chunk) sum += mine[static_cast<std::int64_t>(chunk) * mostColumns + column];
    float& result = out[bank.offset(at, e) + column];
    result = sum + (add ? result : 0);
  }
};

/// One call's facts, sizes and products.
template <class T>
class BankCall {
 public:
  BankCall(Queue& queue, const DispatchView& dispatch, const ExpertsSpec& spec)
      : queue_(queue), dispatch_(dispatch), spec_(spec), layout_(spec) {
    std::vector<std::int32_t> begin{0};
    for (const std::int64_t hidden : spec.hidden) begin.push_back(begin.back() + static_cast<std::int32_t>(hidden));
    bank_.hiddenBegin = queue.constant(std::span<const std::int32_t>(begin));
  }

  HiddenUnits units(const ExpertsWeights& weights, const TensorView& keep, const float* raw) const {
    return {dispatch_,
            bank_,
            spec_.kind,
            spec_.activation,
            static_cast<float>(spec_.alpha),
            static_cast<float>(spec_.limit),
            spec_.weightOnInput,
            at<float>(weights.gateBias),
            at<float>(weights.upBias),
            at<float>(keep),
            keep.empty() ? 0 : keep.shape[1],
            static_cast<float>(1 / (1 - (keep.empty() ? 0 : spec_.dropout))),
            raw,
            layout_.rawStride,
            static_cast<int>(layout_.widest)};
  }

  /// C (A, cStride) = rows . W^T, or rows . W.
  void rows(bool transposed, float* c, std::int64_t cStride, const RowTable<T>& left, const T* weights,
            PerExpert weightsAt, PerExpert columns, std::int64_t mostColumns, PerExpert inner, bool add = false) const {
    const GroupedArguments<T> in{dispatch_, bank_, left, {}, weights, weightsAt, columns, inner, c, cStride, add};
    if (transposed)
      launchRows<GroupedKind::rowsTransposed>(in, mostColumns);
    else
      launchRows<GroupedKind::rows>(in, mostColumns);
  }
  /// C_e (outer, columns) = the sum over its rows of left^T right.
  void weights(float* c, PerExpert at, const RowTable<T>& left, PerExpert outer, std::int64_t mostOuter,
               const RowTable<T>& right, PerExpert columns, std::int64_t mostColumns, bool add) const {
    const GroupedArguments<T> in{dispatch_, bank_, left, right, nullptr, at, columns, outer, c, 0, add};
    launch<GroupedKind::weights>(in, mostColumns, mostOuter, dispatch_.experts);
  }
  template <class Kernel, class... Members>
  void byRow(const Members&... members) const {
    queue_.launch<Kernel>({(dispatch_.room + kRowsOfBlock - 1) / kRowsOfBlock}, 0, members...);
  }

  void combine(const TensorView& out, BFloat16* copy, const float* rowsFrom, const float* bias, bool rowWeighted,
               bool biasWeighted, bool accumulate) const {
    const auto width = static_cast<int>(out.elements() / dispatch_.tokens);
    const auto run = [&]<int kN>() {
      queue_.launch<Combine<kN>>({dispatch_.tokens}, 0, dispatch_, at<float>(out), copy, rowsFrom, bias, width,
                                 rowWeighted, biasWeighted, accumulate);
    };
    if (inFours(width, {out.data, rowsFrom}))
      run.template operator()<4>();
    else
      run.template operator()<1>();
  }

  void biasGradient(Scratch::Frame& room, const TensorView& out, PerExpert at_, PerExpert columns,
                    std::int64_t mostColumns, const RowTable<float>& from, const BFloat16* rows16, bool weighted,
                    bool add) const {
    if (out.empty()) return;
    const std::int64_t each = dispatch_.room / dispatch_.experts + 1;
    const int chunks = static_cast<int>(std::clamp<std::int64_t>(each / 64, 1, 32));
    const auto groups = static_cast<int>((mostColumns + kWarp - 1) / kWarp);
    assert(groups * dispatch_.experts <= Queue::kCounters);
    queue_.launch<BankBiasGradient>({groups, chunks, dispatch_.experts}, BankBiasGradient::kSharedBytes, dispatch_,
                                    bank_, columns, at_, from, rows16, weighted, add, at<float>(out),
                                    room.take<float>(mostColumns * chunks * dispatch_.experts), queue_.counters(),
                                    static_cast<int>(mostColumns));
  }

  const BankLayout& layout() const { return layout_; }

 private:
  template <GroupedKind kKind>
  using Kernel = std::conditional_t<sizeof(T) == 2, GroupedBf16<kKind>, GroupedF32<kKind>>;

  template <GroupedKind kKind>
  void launchRows(const GroupedArguments<T>& in, std::int64_t mostColumns) const {
    // Every expert may fill its last tile in part.
    const std::int64_t tiles =
        dispatch_.room / Kernel<kKind>::kRowsOfTile + std::min(dispatch_.room, dispatch_.experts);
    launch<kKind>(in, mostColumns, tiles * Kernel<kKind>::kRowsOfTile, 1);
  }
  template <GroupedKind kKind>
  void launch(const GroupedArguments<T>& in, std::int64_t mostColumns, std::int64_t mostRows, int experts) const {
    using K = Kernel<kKind>;
    queue_.launch<K>({static_cast<int>((mostColumns + K::kColumnsOfTile - 1) / K::kColumnsOfTile),
                      static_cast<int>((mostRows + K::kRowsOfTile - 1) / K::kRowsOfTile), experts},
                     K::kSharedBytes, in);
  }

  Queue& queue_;
  DispatchView dispatch_;
  const ExpertsSpec& spec_;
  BankLayout layout_;
  Bank bank_;
};

/// Where the numbers of a call stand, in f32 or in the bf16 that products read.
template <class T>
const T* operand(Bf16Copies& copies, const TensorView& view) {
  if (view.empty()) return nullptr;
  if constexpr (sizeof(T) == 2)
    return copies.reading(view);
  else
    return at<float>(view);
}

}  // namespace

/// Whether every row begins at 16 bytes and every size is whole pieces of 8.
static bool movesEights(const ExpertsSpec& spec) {
  return spec.width % 8 == 0 && spec.outputWidth % 8 == 0 &&
         std::ranges::all_of(spec.hidden, [](std::int64_t hidden) { return hidden % 8 == 0; });
}

std::int64_t CudaBackend::expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments) const {
  const BankLayout layout(spec);
  return maxAssignments * (layout.rawStride + layout.widest);
}

void CudaBackend::experts(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
                          const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
                          bool accumulate) {
  const auto timed = queue().time("experts");
  const DispatchView tables = tablesOf(dispatch);
  if (tables.tokens == 0) return;
  const auto run = [&]<class T>() {
    Scratch::Frame room(scratch());
    const BankCall<T> call(queue(), tables, spec);
    const BankLayout& l = call.layout();
    const std::int64_t D = spec.width, O = spec.outputWidth, A = tables.room;
    const RowTable<T> input{operand<T>(copies(), x), D, true};
    float* const outRows = room.take<float>(A * O);
    const T* const down = operand<T>(copies(), weights.down);
    if (spec.kind == ExpertKind::linear) {
      call.rows(false, outRows, O, input, down, {.fixed = O * D}, {.fixed = O}, O, {.fixed = D});
    } else {
      written(saved);
      float* const raw = saved.empty() ? room.take<float>(A * l.rawStride) : at<float>(saved);
      T* const hidden = saved.empty() ? room.take<T>(A * l.widest) : reinterpret_cast<T*>(raw + A * l.rawStride);
      const std::int64_t pairs = spec.kind == ExpertKind::clampedGlu ? 2 : 1;
      if (spec.kind == ExpertKind::glu)
        call.rows(false, raw, l.rawStride, input, operand<T>(copies(), weights.gate), {.perHidden = D},
                  {.perHidden = 1}, l.widest, {.fixed = D});
      call.rows(false, raw + (spec.kind == ExpertKind::glu ? l.widest : 0), l.rawStride, input,
                operand<T>(copies(), weights.up), {.perHidden = pairs * D}, {.perHidden = pairs}, pairs * l.widest,
                {.fixed = D});
      call.template byRow<HiddenForward<T>>(call.units(weights, keep, raw), hidden);
      call.rows(false, outRows, O, RowTable<T>{hidden, l.widest, false}, down, {.perHidden = O}, {.fixed = O}, O,
                {.perHidden = 1});
    }
    written(y);
    const bool linear = spec.kind == ExpertKind::linear;
    call.combine(y, bf16() ? copies().writing(y) : nullptr, outRows, at<float>(weights.downBias),
                 linear || !spec.weightOnInput, !spec.weightOnInput, accumulate);
  };
  if (bf16() && movesEights(spec))
    run.template operator()<BFloat16>();
  else
    run.template operator()<float>();
}

void CudaBackend::expertsBackward(const TensorView& dx, const ExpertsWeights& dWeights, const TensorView& dAssignment,
                                  const TensorView& dy, const TensorView& x, const TensorView& saved,
                                  const Dispatch& dispatch, const ExpertsSpec& spec, const ExpertsWeights& weights,
                                  const TensorView& keep, Gradients gradients) {
  const auto timed = queue().time("experts backward");
  const DispatchView tables = tablesOf(dispatch);
  const bool add = gradients == Gradients::add;
  const TensorView outputs[] = {dWeights.gate,     dWeights.up,     dWeights.down,
                                dWeights.gateBias, dWeights.upBias, dWeights.downBias};
  for (const TensorView& view : outputs) {
    if (view.empty()) continue;
    written(view);
    if (tables.tokens == 0 && !add) fill(view, 0);
  }
  if (tables.tokens == 0) return;
  if (!dAssignment.empty()) written(dAssignment);
  const auto run = [&]<class T>() {
    Scratch::Frame room(scratch());
    const BankCall<T> call(queue(), tables, spec);
    const BankLayout& l = call.layout();
    const std::int64_t D = spec.width, O = spec.outputWidth, A = tables.room;
    const RowTable<T> input{operand<T>(copies(), x), D, true}, slope{operand<T>(copies(), dy), O, true};
    const RowTable<float> slopeRows{at<float>(dy), O, true};
    const T* const down = operand<T>(copies(), weights.down);
    float* const dRows = dx.empty() && spec.kind != ExpertKind::linear ? nullptr : room.take<float>(A * D);
    double* const dAssigned = at<double>(dAssignment);
    if (spec.kind == ExpertKind::linear) {
      T* const weighted = room.take<T>(A * D);
      call.rows(true, dRows, D, slope, down, {.fixed = O * D}, {.fixed = D}, D, {.fixed = O});
      call.template byRow<LinearBackward<T>>(
          tables, static_cast<const float*>(at<float>(x)), static_cast<const float*>(dRows),
          static_cast<const float*>(at<float>(dy)), static_cast<const float*>(at<float>(weights.downBias)),
          static_cast<int>(D), static_cast<int>(O), spec.weightOnInput, weighted, dAssigned);
      if (!dWeights.down.empty())
        call.weights(at<float>(dWeights.down), {.fixed = O * D}, slope, {.fixed = O}, O,
                     RowTable<T>{weighted, D, false}, {.fixed = D}, D, add);
    } else {
      const float* const raw = at<float>(saved);
      const std::int64_t pairs = spec.kind == ExpertKind::clampedGlu ? 2 : 1,
                         second = spec.kind == ExpertKind::glu ? l.widest : 0;
      float* const dHidden = room.take<float>(A * l.widest);
      T *const dRaw = room.take<T>(A * l.rawStride), *const weighted = room.take<T>(A * l.widest);
      float* const dPre = spec.weightOnInput ? room.take<float>(A * l.rawStride) : nullptr;
      call.rows(true, dHidden, l.widest, slope, down, {.perHidden = O}, {.perHidden = 1}, l.widest, {.fixed = O});
      call.template byRow<HiddenBackward<T>>(
          call.units(weights, keep, raw), static_cast<const float*>(dHidden), static_cast<const float*>(at<float>(dy)),
          static_cast<const float*>(at<float>(weights.downBias)), static_cast<int>(O), dRaw, weighted, dPre, dAssigned);
      if (!dWeights.down.empty())
        call.weights(at<float>(dWeights.down), {.perHidden = O}, slope, {.fixed = O}, O,
                     RowTable<T>{weighted, l.widest, false}, {.perHidden = 1}, l.widest, add);
      const RowTable<T> gateRows{dRaw, l.rawStride, false}, upRows{dRaw + second, l.rawStride, false};
      const auto bias = [&](const TensorView& out, std::int64_t from, std::int64_t each) {
        const RowTable<float> rows{dPre != nullptr ? dPre + from : nullptr, l.rawStride, false};
        if constexpr (sizeof(T) == 2) {
          call.biasGradient(room, out, {.perHidden = each}, {.perHidden = each}, each * l.widest, rows,
                            dPre != nullptr ? nullptr : dRaw + from, false, add);
        } else {
          call.biasGradient(room, out, {.perHidden = each}, {.perHidden = each}, each * l.widest,
                            dPre != nullptr ? rows : RowTable<float>{dRaw + from, l.rawStride, false}, nullptr, false,
                            add);
        }
      };
      if (spec.kind == ExpertKind::glu) {
        if (!dWeights.gate.empty())
          call.weights(at<float>(dWeights.gate), {.perHidden = D}, gateRows, {.perHidden = 1}, l.widest, input,
                       {.fixed = D}, D, add);
        bias(dWeights.gateBias, 0, 1);
      }
      if (!dWeights.up.empty())
        call.weights(at<float>(dWeights.up), {.perHidden = pairs * D}, upRows, {.perHidden = pairs}, pairs * l.widest,
                     input, {.fixed = D}, D, add);
      bias(dWeights.upBias, second, pairs);
      if (!dx.empty()) {
        if (spec.kind == ExpertKind::glu)
          call.rows(true, dRows, D, gateRows, operand<T>(copies(), weights.gate), {.perHidden = D}, {.fixed = D}, D,
                    {.perHidden = 1});
        call.rows(true, dRows, D, upRows, operand<T>(copies(), weights.up), {.perHidden = pairs * D}, {.fixed = D}, D,
                  {.perHidden = pairs}, spec.kind == ExpertKind::glu);
      }
    }
    call.biasGradient(room, dWeights.downBias, {.fixed = O}, {.fixed = O}, O, slopeRows, nullptr, !spec.weightOnInput,
                      add);
    if (dx.empty()) return;
    written(dx);
    call.combine(dx, nullptr, dRows, nullptr, spec.kind == ExpertKind::linear, false, true);
  };
  if (bf16() && movesEights(spec))
    run.template operator()<BFloat16>();
  else
    run.template operator()<float>();
}

}  // namespace moe::cuda
