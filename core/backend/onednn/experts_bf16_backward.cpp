// Bound by arithmetic: four to six products; 1.3 to 1.6 times the speed of f32, 55 to 64 % of bf16's 830 GFLOP/s with 8
// experts; 1.1 times and 32 % with 64, whose gradients are memory traffic. Two phases as in experts_backward.cpp. A
// tile of a weight's gradient copies its columns of the left operand out of their rows first: oneDNN's fast path wants
// it dense.
#include "core/backend/onednn/experts_activation.h"
#include "core/backend/onednn/experts_bf16.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"

namespace moe {
namespace {

using Layout = Bf16ProductShape::Layout;

constexpr std::int64_t kTile =
    256;  // rows of a weight's gradient: fewer, and oneDNN repacks the right operand more often

/// Working memory of the operation, rows numbered by PaddedRows.
struct BackwardRows {
  BFloat16* inputs = nullptr;                 // (P, D) what the expert read
  BFloat16* dOutputs = nullptr;               // (P, O) gradient of what it gave, weight included
  BFloat16 *dGate = nullptr, *dUp = nullptr;  // (P, F) of the pre-activations; dUp (P, 2F) for clampedGlu
  float* dInputs = nullptr;                   // (P, D)
};

/// A thread's working memory; the second phase uses all of it for its tile's left operand.
struct TaskMemory {
  BFloat16* dRaw = nullptr;  // (rows, O) dy without the assignments' weights
  float* dHidden = nullptr;  // (rows, F)
  float* row = nullptr;      // (5, F) of one row

  static std::int64_t elements(const ExpertsSpec& spec, std::int64_t rows, std::int64_t widest) {
    return std::max(rows * (spec.outputWidth + widest) + 5 * widest, kBf16MaxRows * kTile / 2);
  }
  TaskMemory(float* memory, const ExpertsSpec& spec, std::int64_t rows, std::int64_t widest)
      : dRaw(asBf16(memory)), dHidden(memory + rows * spec.outputWidth), row(dHidden + rows * widest) {}
};

class ExpertsBackward {
 public:
  ExpertsBackward(const ExpertsBank& bank, const ExpertsWeights& weights, const ExpertsWeights& dWeights,
                  const NarrowExperts& narrow, const PaddedRows& padded, const BackwardRows& rows,
                  const SavedHidden& saved, const Bf16Products& products, Gradients gradients)
      : bank_(bank),
        spec_(bank.spec),
        weights_(weights),
        dWeights_(dWeights),
        narrow_(narrow),
        padded_(padded),
        rows_(rows),
        saved_(saved),
        products_(products),
        gradients_(gradients) {}

  /// First phase: rows of one expert.
  void rows(const ExpertTask& task, const TensorView& x, const TensorView& dy, std::span<double> dAssignment,
            const TaskMemory& memory, int thread) const {
    const std::int32_t e = task.expert;
    const std::int64_t count = task.end - task.begin, all = bf16Padded(count), o = spec_.outputWidth;
    const std::int64_t n = bank_.hidden(e), row = rowOf(task.begin), width = spec_.width;
    const BFloat16* const dRaw = gather(task, x, dy, memory);
    products_.at({.n = n, .k = o})
        .run(thread, all, dRaw, downPart(bank_, narrow_.down, weights_.down, e), memory.dHidden);
    const float* const downBias = bank_.downBias(weights_.downBias, e);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t a = task.begin + i;
      double slope = throughHidden(e, row + i, bank_.outputScale(a), memory.dHidden + i * n, memory);
      if (downBias) slope += dotRow(dy.as<float>() + bank_.tokenOf(a) * o, downBias, o);
      if (!spec_.weightOnInput && !dAssignment.empty()) dAssignment[static_cast<std::size_t>(a)] = slope;
    }
    const std::int64_t m = bank_.upRows(e);
    float* const dIn = rows_.dInputs + row * width;
    std::fill(dUpOf(e, row + count), dUpOf(e, row + all), BFloat16{});
    products_.at({.n = width, .k = m}).run(thread, all, dUpOf(e, row), upPart(bank_, narrow_.up, weights_.up, e), dIn);
    if (spec_.kind == ExpertKind::glu) {
      std::fill(dGateOf(e, row + count), dGateOf(e, row + all), BFloat16{});
      products_.at({.n = width, .k = m, .accumulate = true})
          .run(thread, all, dGateOf(e, row), upPart(bank_, narrow_.gate, weights_.gate, e), dIn);
    }
    for (std::int64_t i = 0; i < count && spec_.weightOnInput; ++i) {
      const std::int64_t a = task.begin + i;
      const double slope = dotRow(dIn + i * width, x.as<float>() + bank_.tokenOf(a) * width, width);
      if (!dAssignment.empty()) dAssignment[static_cast<std::size_t>(a)] = slope;
      scaleRow(dIn + i * width, bank_.weightOf(a), width);
    }
  }

  /// Second phase: rows [begin, end) of up's and gate's gradients.
  void upGradient(const ExpertTask& task, BFloat16* memory, int thread) const {
    const std::int32_t e = task.expert;
    const std::int64_t row = padded_.begin[static_cast<std::size_t>(e)], m = bank_.upRows(e);
    const BFloat16* const inputs = rows_.inputs + row * spec_.width;
    addProduct(dWeights_.up.empty() ? nullptr : bank_.upMatrix(dWeights_.up, e),
               dWeights_.upBias.empty() ? nullptr : dWeights_.upBias.as<float>() + bank_.upBegin(e), dUpOf(e, row), m,
               inputs, spec_.width, task, memory, thread);
    if (spec_.kind == ExpertKind::glu)
      addProduct(dWeights_.gate.empty() ? nullptr : bank_.upMatrix(dWeights_.gate, e),
                 dWeights_.gateBias.empty() ? nullptr : dWeights_.gateBias.as<float>() + bank_.upBegin(e),
                 dGateOf(e, row), m, inputs, spec_.width, task, memory, thread);
  }

  /// Second phase: rows [begin, end) of down's gradient.
  void downGradient(const ExpertTask& task, BFloat16* memory, int thread) const {
    const std::int32_t e = task.expert;
    const std::int64_t row = padded_.begin[static_cast<std::size_t>(e)];
    addProduct(dWeights_.down.empty() ? nullptr : bank_.downMatrix(dWeights_.down, e),
               bank_.downBias(dWeights_.downBias, e), rows_.dOutputs + row * spec_.outputWidth, spec_.outputWidth,
               saved_.at(bank_, padded_, 0, e, row), bank_.hidden(e), task, memory, thread);
  }

  /// Second phase: dx of tokens [begin, end), in slot order.
  void combine(const ExpertTask& task, const TensorView& dx) const {
    for (std::int64_t t = task.begin; t < task.end; ++t) {
      const auto at = static_cast<std::size_t>(t);
      for (std::int32_t entry = bank_.dispatch.tokenBegin[at]; entry < bank_.dispatch.tokenBegin[at + 1]; ++entry) {
        const std::int64_t a = bank_.dispatch.assignmentOf[static_cast<std::size_t>(entry)];
        addRow(dx.as<float>() + t * spec_.width, rows_.dInputs + rowOf(a) * spec_.width, spec_.width);
      }
    }
  }

 private:
  std::int64_t rowOf(std::int64_t assignment) const {
    return padded_.ofAssignment[static_cast<std::size_t>(assignment)];
  }
  BFloat16* dUpOf(std::int32_t e, std::int64_t row) const { return hiddenRow(rows_.dUp, e, row, bank_.upRows(e)); }
  BFloat16* dGateOf(std::int32_t e, std::int64_t row) const { return hiddenRow(rows_.dGate, e, row, bank_.hidden(e)); }
  BFloat16* hiddenRow(BFloat16* data, std::int32_t e, std::int64_t row, std::int64_t n) const {
    const std::int64_t begin = padded_.begin[static_cast<std::size_t>(e)];
    return data + begin * bank_.widest * (n == bank_.hidden(e) ? 1 : 2) + (row - begin) * n;
  }

  /// Fills inputs and dOutputs, zeros where they are padded. Returns dy's rows without the assignments' weights.
  const BFloat16* gather(const ExpertTask& task, const TensorView& x, const TensorView& dy,
                         const TaskMemory& memory) const {
    const std::int64_t width = spec_.width, o = spec_.outputWidth, row = rowOf(task.begin);
    const std::int64_t count = task.end - task.begin, all = bf16Padded(count);
    BFloat16 *const inputs = rows_.inputs + row * width, *const dOutputs = rows_.dOutputs + row * o;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t a = task.begin + i, t = bank_.tokenOf(a);
      const float* const dRow = dy.as<float>() + t * o;
      toBf16Scaled(inputs + i * width, x.as<float>() + t * width, bank_.inputScale(a), width);
      toBf16Scaled(dOutputs + i * o, dRow, bank_.outputScale(a), o);
      if (bank_.scalesOutput()) toBf16(memory.dRaw + i * o, dRow, o);
    }
    std::fill(inputs + count * width, inputs + all * width, BFloat16{});
    std::fill(dOutputs + count * o, dOutputs + all * o, BFloat16{});
    if (!bank_.scalesOutput()) return dOutputs;
    std::fill(memory.dRaw + count * o, memory.dRaw + all * o, BFloat16{});
    return memory.dRaw;
  }

  /// d (F), the gradient of the hidden activation, to that of the pre-activations. Returns d . hidden.
  double throughHidden(std::int32_t e, std::int64_t row, float scale, float* d, const TaskMemory& memory) const {
    const std::int64_t n = bank_.hidden(e), widest = bank_.widest;
    float *const hidden = memory.row, *const firstSlope = hidden + widest, *const secondSlope = firstSlope + widest;
    float* const dUp = secondSlope + widest;  // (n), or (2n) for clampedGlu
    fromBf16(hidden, saved_.at(bank_, padded_, 0, e, row), n);
    fromBf16(firstSlope, saved_.at(bank_, padded_, 1, e, row), n);
    double slope = 0;
    if (spec_.kind == ExpertKind::mlp) {
      slope = throughActivation(d, hidden, firstSlope, scale, n);
      toBf16(dUpOf(e, row), d, n);
      return slope;
    }
    fromBf16(secondSlope, saved_.at(bank_, padded_, 2, e, row), n);
    if (spec_.kind == ExpertKind::glu) {
      float* const dGate = dUp + widest;
      slope = throughGlu(dGate, dUp, d, hidden, firstSlope, secondSlope, scale, n);
      toBf16(dGateOf(e, row), dGate, n);
    } else {
      slope = throughClampedGlu(dUp, d, hidden, firstSlope, secondSlope, scale, n);
    }
    toBf16(dUpOf(e, row), dUp, bank_.upRows(e));
    return slope;
  }

  /// Rows [begin, end) of dWeight (m, n) = or += left^T (m, P) right (P, n) and of dBias (m) column sums of left.
  void addProduct(float* dWeight, float* dBias, const BFloat16* left, std::int64_t m, const BFloat16* right,
                  std::int64_t n, const ExpertTask& task, BFloat16* memory, int thread) const {
    const std::int64_t columns = task.end - task.begin;
    const auto e = static_cast<std::size_t>(task.expert);
    const std::int64_t count = padded_.begin[e + 1] - padded_.begin[e];
    const bool overwrite = gradients_ == Gradients::overwrite;
    if (overwrite && dWeight && count == 0) std::fill_n(dWeight + task.begin * n, columns * n, 0.0f);
    for (std::int64_t begin = 0; begin < count && dWeight; begin += kBf16MaxRows) {
      const std::int64_t rows = std::min(kBf16MaxRows, count - begin);
      const BFloat16* dense = left + begin * m;
      if (columns != m) {
        copyColumns(memory, dense + task.begin, m, rows, rows, columns);
        dense = memory;
      }
      const bool add = !overwrite || begin > 0;
      products_.at({.layout = Layout::gradient, .n = n, .k = columns, .accumulate = add})
          .run(thread, rows, dense, right + begin * n, dWeight + task.begin * n);
    }
    if (!dBias) return;
    if (overwrite) std::fill_n(dBias + task.begin, columns, 0.0f);
    addColumnSums(dBias + task.begin, left + task.begin, m, count, columns);
  }

  const ExpertsBank& bank_;
  const ExpertsSpec& spec_;
  const ExpertsWeights &weights_, &dWeights_;
  const NarrowExperts& narrow_;
  const PaddedRows& padded_;
  const BackwardRows& rows_;
  const SavedHidden& saved_;
  const Bf16Products& products_;
  const Gradients gradients_;
};

}  // namespace

void OnednnBackend::expertsBackwardBf16(const TensorView& dx, const ExpertsWeights& dWeights,
                                        std::span<double> dAssignment, const TensorView& dy, const TensorView& x,
                                        const TensorView& saved, const Dispatch& dispatch, const ExpertsSpec& spec,
                                        const ExpertsWeights& weights, const TensorView& keep, Gradients gradients) {
  const std::int64_t widest = widestHidden(spec), width = spec.width, outputs = spec.outputWidth;
  const ExpertsBank bank(dispatch, spec, keep, scratch_.zeros(2 * widest));
  assert(saved.elements() >= savedElementsBf16(spec, dispatch.assignments()));
  assert(dAssignment.size() <= dispatch.token.size());
  std::fill(dAssignment.begin(), dAssignment.end(), 0.0);
  const SavedHidden hidden = savedHidden(saved, spec);
  const NarrowExperts narrowed{.gate = weights.gate.empty() ? nullptr : narrow(weights.gate),
                               .up = narrow(weights.up),
                               .down = narrow(weights.down)};
  const auto makeTiles = [&](std::int64_t m, std::int64_t n) {
    for (const std::int64_t rows : {std::min(m, kTile), m % kTile})
      for (const bool add : {false, true})
        if (rows > 0) bf16_->products[{.layout = Layout::gradient, .n = n, .k = rows, .accumulate = add}];
  };
  for (std::int32_t e = 0; e < dispatch.experts; ++e) {
    const std::int64_t n = bank.hidden(e), m = bank.upRows(e);
    if (e > 0 && n == bank.hidden(e - 1)) continue;
    bf16_->products[{.n = n, .k = outputs}];
    bf16_->products[{.n = width, .k = m}];
    if (spec.kind == ExpertKind::glu) bf16_->products[{.n = width, .k = m, .accumulate = true}];
    makeTiles(m, width);
    makeTiles(outputs, n);
  }
  PaddedRows& padded = bf16_->rows;
  padded.arrange(dispatch);
  const std::int64_t total = padded.total(), most = rowsOfTaskBf16(spec, widest);
  BackwardRows rows;
  rows.inputs = asBf16(scratch_.shared(0, total * width / 2));
  rows.dOutputs = asBf16(scratch_.shared(1, total * outputs / 2));
  rows.dUp = asBf16(scratch_.shared(2, total * widest / (spec.kind == ExpertKind::clampedGlu ? 1 : 2)));
  rows.dGate = spec.kind == ExpertKind::glu ? asBf16(scratch_.shared(3, total * widest / 2)) : nullptr;
  rows.dInputs = scratch_.shared(4, total * width);
  scratch_.reserve(TaskMemory::elements(spec, most, widest));
  planRows(tasks_, dispatch, spec, threads_, most, kBf16Granule);
  planGradients(gradientTasks_, dispatch, spec, threads_, kTile, gradients == Gradients::overwrite);
  const ExpertsBackward work(bank, weights, dWeights, narrowed, padded, rows, hidden, bf16_->products, gradients);
  const auto rowTasks = static_cast<std::int64_t>(tasks_.size()),
             tileTasks = static_cast<std::int64_t>(gradientTasks_.size());
#pragma omp parallel num_threads(threads_)
  {
    const int thread = omp_get_thread_num();
    float* const own = scratch_.ofThread(thread);
    const TaskMemory memory(own, spec, most, widest);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < rowTasks; ++i)
      work.rows(tasks_[static_cast<std::size_t>(i)], x, dy, dAssignment, memory, thread);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < tileTasks; ++i) {
      const ExpertTask& task = gradientTasks_[static_cast<std::size_t>(i)];
      if (task.kind == ExpertTask::Kind::upGradient)
        work.upGradient(task, asBf16(own), thread);
      else if (task.kind == ExpertTask::Kind::downGradient)
        work.downGradient(task, asBf16(own), thread);
      else if (!dx.empty())
        work.combine(task, dx);
    }
  }
}

}  // namespace moe
