// Bound by arithmetic, with twice the products' speed of f32, so that the exponentials and the conversions weigh more:
// 1.6 to 1.8 times the speed of f32, 61 to 70 % of bf16's 830 GFLOP/s on two Zen 5 cores with 8 experts, 44 % with 64.
// As in experts.cpp a task takes a run of one expert's rows from gathering to the second product inside the L2 cache;
// what is kept for backward is bf16, half the memory.
#include <cmath>

#include "core/backend/onednn/experts_activation.h"
#include "core/backend/onednn/experts_bf16.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"

namespace moe {
namespace {

using Layout = Bf16ProductShape::Layout;

/// A thread's working memory for rows of one task.
struct TaskMemory {
  BFloat16* in = nullptr;       // (rows, D)
  float* first = nullptr;       // (rows, F) what up, or gate, gives; (rows, 2F) for clampedGlu
  float* second = nullptr;      // (rows, F) what up gives beside gate
  float* row = nullptr;         // (3, F) of one row
  BFloat16* unsaved = nullptr;  // (rows, F) where nothing is kept

  static std::int64_t elements(const ExpertsSpec& spec, std::int64_t rows, std::int64_t widest) {
    return rows * (spec.width + 2 * widest + widest) + 3 * widest;
  }
  TaskMemory(float* memory, const ExpertsSpec& spec, std::int64_t rows, std::int64_t widest)
      : in(asBf16(memory)),
        first(memory + rows * spec.width),
        second(first + rows * widest),
        row(second + rows * widest),
        unsaved(asBf16(row + 3 * widest)) {}
};

class ExpertsForward {
 public:
  ExpertsForward(const ExpertsBank& bank, const ExpertsWeights& weights, const NarrowExperts& narrow,
                 const PaddedRows& rows, const SavedHidden& saved, const Bf16Products& products)
      : bank_(bank),
        spec_(bank.spec),
        weights_(weights),
        narrow_(narrow),
        rows_(rows),
        saved_(saved),
        products_(products) {}

  /// outputs (P, O): rows of the task, down's bias included.
  void run(const ExpertTask& task, const TensorView& x, float* outputs, const TaskMemory& memory, int thread) const {
    const std::int32_t e = task.expert;
    const std::int64_t count = task.end - task.begin, padded = bf16Padded(count), width = spec_.width;
    const std::int64_t n = bank_.hidden(e), o = spec_.outputWidth, row = rowOf(task.begin);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t a = task.begin + i;
      toBf16Scaled(memory.in + i * width, x.as<float>() + bank_.tokenOf(a) * width, bank_.inputScale(a), width);
    }
    std::fill(memory.in + count * width, memory.in + padded * width, BFloat16{});
    const Bf16Product& up = products_.at({.layout = Layout::timesTransposed, .n = bank_.upRows(e), .k = width});
    const bool gated = spec_.kind == ExpertKind::glu;
    if (gated) up.run(thread, padded, memory.in, upPart(bank_, narrow_.gate, weights_.gate, e), memory.first);
    up.run(thread, padded, memory.in, upPart(bank_, narrow_.up, weights_.up, e), gated ? memory.second : memory.first);
    BFloat16* const hidden = saved_.data ? saved_.at(bank_, rows_, 0, e, row) : memory.unsaved;
    for (std::int64_t i = 0; i < count; ++i) activateRow(e, row + i, i, bank_.tokenOf(task.begin + i), hidden, memory);
    std::fill(hidden + count * n, hidden + padded * n, BFloat16{});
    const Bf16Product& down = products_.at({.layout = Layout::timesTransposed, .n = o, .k = n});
    down.run(thread, padded, hidden, downPart(bank_, narrow_.down, weights_.down, e), outputs + row * o);
    if (const float* bias = bank_.downBias(weights_.downBias, e)) addBias(outputs + row * o, o, bias, count, o);
  }

  /// y of tokens [begin, end): the weighed sum of their assignments' rows in `outputs`, in slot order.
  void combine(const TensorView& y, const float* outputs, std::int64_t begin, std::int64_t end, bool accumulate) const {
    const std::int64_t width = spec_.outputWidth;
    for (std::int64_t t = begin; t < end; ++t) {
      float* to = y.as<float>() + t * width;
      const auto at = static_cast<std::size_t>(t);
      std::int32_t entry = bank_.dispatch.tokenBegin[at];
      const std::int32_t last = bank_.dispatch.tokenBegin[at + 1];
      if (!accumulate && entry == last) std::fill_n(to, width, 0.0f);
      for (bool add = accumulate; entry < last; ++entry, add = true) {
        const std::int64_t a = bank_.dispatch.assignmentOf[static_cast<std::size_t>(entry)];
        (add ? addScaledRow : copyScaledRow)(to, outputs + rowOf(a) * width, bank_.outputScale(a), width);
      }
    }
  }

 private:
  std::int64_t rowOf(std::int64_t assignment) const { return rows_.ofAssignment[static_cast<std::size_t>(assignment)]; }

  /// Row i of the task, row `row` of what is saved: from pre-activations to the hidden activation and its slopes.
  void activateRow(std::int32_t e, std::int64_t row, std::int64_t i, std::int64_t token, BFloat16* hidden,
                   const TaskMemory& memory) const {
    const std::int64_t n = bank_.hidden(e);
    const float* const upBias = bank_.upBias(weights_.upBias, e);
    const bool mlp = spec_.kind == ExpertKind::mlp;
    float* value = memory.row;  // (n) each
    float *firstSlope = memory.row + bank_.widest, *secondSlope = firstSlope + bank_.widest;
    if (mlp) {
      value = memory.first + i * n;
      activate(spec_.activation, value, saved_.data ? firstSlope : nullptr, upBias, 1, n);
    } else if (spec_.kind == ExpertKind::glu) {
      firstSlope = memory.first + i * n;
      secondSlope = memory.second + i * n;
      activateGlu(spec_.activation, value, firstSlope, secondSlope, bank_.upBias(weights_.gateBias, e), upBias, 1, n);
    } else {
      activateClampedGlu(value, firstSlope, secondSlope, memory.first + 2 * i * n, upBias,
                         static_cast<float>(spec_.alpha), static_cast<float>(spec_.limit), 1, n);
    }
    if (const float* keep = bank_.keepOf(token)) {
      const float scale = static_cast<float>(1 / (1 - spec_.dropout));
      dropOut(value, keep, scale, n);
      if (saved_.data) dropOut(firstSlope, keep, scale, n);
      if (saved_.data && !mlp) dropOut(secondSlope, keep, scale, n);
    }
    toBf16(hidden + i * n, value, n);
    if (saved_.data) toBf16(saved_.at(bank_, rows_, 1, e, row), firstSlope, n);
    if (saved_.data && !mlp) toBf16(saved_.at(bank_, rows_, 2, e, row), secondSlope, n);
  }

  const ExpertsBank& bank_;
  const ExpertsSpec& spec_;
  const ExpertsWeights& weights_;
  const NarrowExperts& narrow_;
  const PaddedRows& rows_;
  const SavedHidden& saved_;
  const Bf16Products& products_;
};

}  // namespace

void OnednnBackend::expertsBf16(const TensorView& y, const TensorView& saved, const TensorView& x,
                                const Dispatch& dispatch, const ExpertsSpec& spec, const ExpertsWeights& weights,
                                const TensorView& keep, bool accumulate) {
  const std::int64_t widest = widestHidden(spec), outputs = spec.outputWidth;
  const ExpertsBank bank(dispatch, spec, keep, scratch_.zeros(2 * widest));
  assert(dispatch.experts == spec.experts() && x.elements() == dispatch.tokens * spec.width);
  assert(saved.empty() || saved.elements() >= savedElementsBf16(spec, dispatch.assignments()));
  const SavedHidden hidden = saved.empty() ? SavedHidden{} : savedHidden(saved, spec);
  const NarrowExperts narrowed{.gate = weights.gate.empty() ? nullptr : narrow(weights.gate),
                               .up = narrow(weights.up),
                               .down = narrow(weights.down)};
  for (std::int32_t e = 0; e < dispatch.experts; ++e) {
    if (e > 0 && bank.hidden(e) == bank.hidden(e - 1)) continue;
    bf16_->products[{.layout = Layout::timesTransposed, .n = bank.upRows(e), .k = spec.width}];
    bf16_->products[{.layout = Layout::timesTransposed, .n = outputs, .k = bank.hidden(e)}];
  }
  PaddedRows& rows = bf16_->rows;
  rows.arrange(dispatch);
  float* const rowOutputs = scratch_.shared(0, rows.total() * outputs);
  const std::int64_t most = rowsOfTaskBf16(spec, widest);
  scratch_.reserve(TaskMemory::elements(spec, most, widest));
  planRows(tasks_, dispatch, spec, threads_, most, kBf16Granule);
  const auto count = static_cast<std::int64_t>(tasks_.size());
  const ExpertsForward work(bank, weights, narrowed, rows, hidden, bf16_->products);
#pragma omp parallel num_threads(threads_)
  {
    const int thread = omp_get_thread_num();
    const TaskMemory memory(scratch_.ofThread(thread), spec, most, widest);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < count; ++i)
      work.run(tasks_[static_cast<std::size_t>(i)], x, rowOutputs, memory, thread);
    constexpr std::int64_t kTokens = 64;
#pragma omp for schedule(static)
    for (std::int64_t t = 0; t < dispatch.tokens; t += kTokens)
      work.combine(y, rowOutputs, t, std::min(dispatch.tokens, t + kTokens), accumulate);
  }
}

}  // namespace moe
