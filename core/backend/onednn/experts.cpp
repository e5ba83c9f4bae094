// Bound by arithmetic: two or three GEMMs with an exponential an element between them; 71 to 81 % of the sgemm peak
// with 8 experts, 57 % with 64 of 64 rows each (the exponential and the gathering are the rest). A task takes a run of
// one expert's rows through gather, up, activation and down, which keeps them in the L2 cache; its GEMMs are
// single-threaded. Outputs then are combined by token, so there are no atomics and each sum has one order.
#include <cmath>

#include "core/backend/onednn/experts_activation.h"
#include "core/backend/onednn/experts_bank.h"
#include "core/backend/onednn/experts_bf16.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"

namespace moe {
namespace {

/// Rows of x for a task: x itself where its tokens follow one another, else gathered (and weighed) into `memory`.
const float* inputRows(const ExpertsBank& bank, const TensorView& x, const ExpertTask& task, float* memory) {
  const std::int64_t width = bank.spec.width;
  if (bank.dispatch.everyToken && !bank.scalesInput()) return x.as<float>() + bank.tokenOf(task.begin) * width;
  for (std::int64_t a = task.begin; a < task.end; ++a)
    copyScaledRow(memory + (a - task.begin) * width, x.as<float>() + bank.tokenOf(a) * width, bank.inputScale(a),
                  width);
  return memory;
}

/// Hidden activation of a task's rows; the slopes too where `first` is not null (glu and clampedGlu: always).
void hiddenRows(const ExpertsBank& bank, const ExpertsWeights& weights, const ExpertTask& task, const float* in,
                float* hidden, float* first, float* second, float* interleaved) {
  const ExpertsSpec& spec = bank.spec;
  const std::int32_t e = task.expert;
  const std::int64_t rows = task.end - task.begin, width = spec.width, n = bank.hidden(e);
  const float* upBias = bank.upBias(weights.upBias, e);
  switch (spec.kind) {
    case ExpertKind::linear: return;
    case ExpertKind::mlp:
      rowsTimesWeight(hidden, n, in, width, bank.upMatrix(weights.up, e), rows, n, width, false);
      activate(spec.activation, hidden, first, upBias, rows, n);
      break;
    case ExpertKind::glu:
      rowsTimesWeight(first, n, in, width, bank.upMatrix(weights.gate, e), rows, n, width, false);
      rowsTimesWeight(second, n, in, width, bank.upMatrix(weights.up, e), rows, n, width, false);
      activateGlu(spec.activation, hidden, first, second, bank.upBias(weights.gateBias, e), upBias, rows, n);
      break;
    case ExpertKind::clampedGlu:
      rowsTimesWeight(interleaved, 2 * n, in, width, bank.upMatrix(weights.up, e), rows, 2 * n, width, false);
      activateClampedGlu(hidden, first, second, interleaved, upBias, static_cast<float>(spec.alpha),
                         static_cast<float>(spec.limit), rows, n);
      break;
  }
  const float scale = static_cast<float>(1 / (1 - spec.dropout));
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* keep = bank.keepOf(bank.tokenOf(task.begin + row));
    if (!keep) return;
    dropOut(hidden + row * n, keep, scale, n);
    if (first) dropOut(first + row * n, keep, scale, n);
    if (second) dropOut(second + row * n, keep, scale, n);
  }
}

/// y of tokens [begin, end): the weighed sum of their assignments' rows in `outputs`, in slot order.
void combine(const TensorView& y, const float* outputs, const ExpertsBank& bank, const ExpertTask& task,
             bool accumulate) {
  const std::int64_t width = bank.spec.outputWidth;
  for (std::int64_t t = task.begin; t < task.end; ++t) {
    float* to = y.as<float>() + t * width;
    const auto at = static_cast<std::size_t>(t);
    std::int32_t entry = bank.dispatch.tokenBegin[at];
    const std::int32_t end = bank.dispatch.tokenBegin[at + 1];
    if (!accumulate && entry == end) std::fill_n(to, width, 0.0f);
    for (bool add = accumulate; entry < end; ++entry, add = true) {
      const std::int64_t a = bank.dispatch.assignmentOf[static_cast<std::size_t>(entry)];
      (add ? addScaledRow : copyScaledRow)(to, outputs + a * width, bank.outputScale(a), width);
    }
  }
}

}  // namespace

std::int64_t OnednnBackend::expertsSavedElements(const ExpertsSpec& spec, std::int64_t maxAssignments) const {
  const std::int64_t arrays = ExpertsBank::savedArrays(spec.kind), widest = widestHidden(spec);
  if (!inBf16(spec, maxAssignments)) return arrays * maxAssignments * widest;
  // Fewer assignments than this are computed in f32.
  return std::max(savedElementsBf16(spec, maxAssignments), arrays * kBf16FewestRows * widest);
}

void OnednnBackend::experts(const TensorView& y, const TensorView& saved, const TensorView& x, const Dispatch& dispatch,
                            const ExpertsSpec& spec, const ExpertsWeights& weights, const TensorView& keep,
                            bool accumulate) {
  const auto timed = timer_.time("experts");
  if (inBf16(spec, dispatch.assignments())) return expertsBf16(y, saved, x, dispatch, spec, weights, keep, accumulate);
  const std::int64_t widest = widestHidden(spec), width = spec.width, outputs = spec.outputWidth;
  const ExpertsBank bank(dispatch, spec, keep, scratch_.zeros(2 * widest));
  assert(dispatch.experts == spec.experts() && x.elements() == dispatch.tokens * width);
  const std::int64_t arrays = ExpertsBank::savedArrays(spec.kind);
  const std::int64_t arrayElements = arrays == 0 ? 0 : saved.elements() / arrays;
  assert(saved.empty() || arrayElements >= dispatch.assignments() * widest);
  if (dispatch.tokens == 1 && saved.empty() && keep.empty()) return expertsOfOneToken(y, x, bank, weights, accumulate);
  // One expert that takes every token writes where the sum would go.
  const bool direct = dispatch.everyToken && dispatch.experts == 1 && bank.unitWeights;
  float* rowOutputs = direct ? nullptr : scratch_.shared(0, dispatch.assignments() * outputs);
  scratch_.reserve(kMaxRows * (width + (saved.empty() ? arrays * widest : 0) +
                               (spec.kind == ExpertKind::clampedGlu ? 2 * widest : 0)));
  planRows(tasks_, dispatch, spec, threads_);
  const auto count = static_cast<std::int64_t>(tasks_.size());
#pragma omp parallel num_threads(threads_)
  {
    float* const gathered = scratch_.ofThread(omp_get_thread_num());
    float* const interleaved = gathered + kMaxRows * width;
    float* const unsaved = interleaved + (spec.kind == ExpertKind::clampedGlu ? 2 * kMaxRows * widest : 0);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < count; ++i) {
      const ExpertTask& task = tasks_[static_cast<std::size_t>(i)];
      const std::int64_t rows = task.end - task.begin, columns = bank.downColumns(task.expert);
      const auto array = [&](std::int64_t index) {
        return saved.empty() ? unsaved + index * kMaxRows * widest
                             : saved.as<float>() + index * arrayElements + bank.hiddenOffset(task.expert, task.begin);
      };
      const float* in = inputRows(bank, x, task, gathered);
      // Without backward an mlp needs no slope; the others hold their pre-activations there.
      float* first = arrays > 2 || (arrays == 2 && !saved.empty()) ? array(1) : nullptr;
      float* hidden = arrays > 0 ? array(0) : nullptr;
      hiddenRows(bank, weights, task, in, hidden, first, arrays > 2 ? array(2) : nullptr, interleaved);
      float* out = direct ? y.as<float>() + bank.tokenOf(task.begin) * outputs : rowOutputs + task.begin * outputs;
      rowsTimesWeight(out, outputs, hidden ? hidden : in, columns, bank.downMatrix(weights.down, task.expert), rows,
                      outputs, columns, direct && accumulate);
      if (const float* bias = bank.downBias(weights.downBias, task.expert)) addBias(out, outputs, bias, rows, outputs);
    }
    if (!direct) {
      constexpr std::int64_t kTokens = 64;
#pragma omp for schedule(static)
      for (std::int64_t t = 0; t < dispatch.tokens; t += kTokens)
        combine(y, rowOutputs, bank, {.begin = t, .end = std::min(dispatch.tokens, t + kTokens)}, accumulate);
    }
  }
}

}  // namespace moe
