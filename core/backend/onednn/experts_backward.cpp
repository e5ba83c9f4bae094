// Bound by arithmetic: four to six GEMMs; 77 to 79 % of the sgemm peak with 8 experts, 66 % with 64. Two phases in one
// parallel region: runs of rows compute the gradients of hidden units and inputs; then tiles of the weights' gradients,
// each one GEMM over all of its expert's rows, and the sums into dx by token. Every output has one owner, so no sum
// depends on timing.
#include <algorithm>

#include "core/backend/onednn/experts_activation.h"
#include "core/backend/onednn/experts_bank.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"

namespace moe {
namespace {

/// Rows by assignment (A, width), or, where `byToken`, a tensor's own rows.
struct AssignmentRows {
  float* data = nullptr;
  std::int64_t width = 0;
  bool byToken = false;
  float* at(const ExpertsBank& bank, std::int64_t assignment) const {
    return data + (byToken ? bank.tokenOf(assignment) : assignment) * width;
  }
};

/// Working memory of the operation.
struct BackwardRows {
  AssignmentRows inputs;                   // (A, D) what the expert read
  AssignmentRows dOutputs;                 // (A, O) gradient of what it gave, weight included
  float *dGate = nullptr, *dUp = nullptr;  // (A, F) of the pre-activations; dUp (A, 2F) for clampedGlu
  AssignmentRows dInputs;                  // (A, D)
};

class ExpertsBackward {
 public:
  ExpertsBackward(const ExpertsBank& bank, const ExpertsWeights& weights, const ExpertsWeights& dWeights,
                  const BackwardRows& rows, const float* saved, std::int64_t savedStride, Gradients gradients)
      : bank_(bank),
        spec_(bank.spec),
        weights_(weights),
        dWeights_(dWeights),
        rows_(rows),
        saved_(saved),
        savedStride_(savedStride),
        gradients_(gradients) {}

  /// First phase: rows of one expert. memory: kMaxRows * (O + widest) elements of this thread.
  void rows(const ExpertTask& task, const TensorView& x, const TensorView& dy, std::span<double> dAssignment,
            float* memory) const {
    const std::int32_t e = task.expert;
    const std::int64_t count = task.end - task.begin, outputs = spec_.outputWidth, width = spec_.width;
    const std::int64_t n = bank_.downColumns(e);
    const float* dRaw = gather(task, x, dy, memory);  // (count, O) without the assignment's weight
    float* const d = memory + kMaxRows * outputs;     // (count, n) gradient of what `down` read, without it too
    float* dIn = rows_.dInputs.at(bank_, task.begin);
    const bool linear = spec_.kind == ExpertKind::linear;
    float* const dHidden = linear ? dIn : spec_.kind == ExpertKind::mlp ? dUpOf(e, task.begin) : d;
    gemmOnThisThread({.m = count,
                      .n = n,
                      .k = outputs,
                      .a = dRaw,
                      .lda = outputs,
                      .b = bank_.downMatrix(weights_.down, e),
                      .ldb = n,
                      .c = dHidden,
                      .ldc = n});
    const float* downBias = bank_.downBias(weights_.downBias, e);
    for (std::int64_t row = 0; row < count && !linear; ++row) {
      const std::int64_t a = task.begin + row;
      double slope = throughHidden(task, row, dHidden + row * n);
      if (downBias) slope += dotRow(dRaw + row * outputs, downBias, outputs);
      if (!spec_.weightOnInput && !dAssignment.empty()) dAssignment[static_cast<std::size_t>(a)] = slope;
    }
    if (!linear) inputGradient(task, dIn);
    for (std::int64_t row = 0; row < count && (linear || spec_.weightOnInput); ++row) {
      const std::int64_t a = task.begin + row;
      float* dRow = dIn + row * width;
      double slope = dotRow(dRow, x.as<float>() + bank_.tokenOf(a) * width, width);
      if (!spec_.weightOnInput && downBias) slope += dotRow(dRaw + row * outputs, downBias, outputs);
      if (!dAssignment.empty()) dAssignment[static_cast<std::size_t>(a)] = slope;
      scaleRow(dRow, bank_.weightOf(a), width);
    }
  }

  /// Second phase: rows [begin, end) of gate's and up's gradients.
  void upGradient(const ExpertTask& task) const {
    product(dWeights_.up.empty() ? nullptr : bank_.upMatrix(dWeights_.up, task.expert),
            dWeights_.upBias.empty() ? nullptr : dWeights_.upBias.as<float>() + bank_.upBegin(task.expert),
            dUpOf(task.expert, first(task.expert)), bank_.upRows(task.expert), inputs(task.expert), spec_.width, task);
    if (spec_.kind == ExpertKind::glu)
      product(dWeights_.gate.empty() ? nullptr : bank_.upMatrix(dWeights_.gate, task.expert),
              dWeights_.gateBias.empty() ? nullptr : dWeights_.gateBias.as<float>() + bank_.upBegin(task.expert),
              dGateOf(task.expert, first(task.expert)), bank_.upRows(task.expert), inputs(task.expert), spec_.width,
              task);
  }

  /// Second phase: rows [begin, end) of down's gradient.
  void downGradient(const ExpertTask& task) const {
    const std::int32_t e = task.expert;
    const float* hidden = spec_.kind == ExpertKind::linear ? inputs(e) : savedOf(0, e, first(e));
    product(dWeights_.down.empty() ? nullptr : bank_.downMatrix(dWeights_.down, e),
            bank_.downBias(dWeights_.downBias, e), rows_.dOutputs.at(bank_, first(e)), spec_.outputWidth, hidden,
            bank_.downColumns(e), task);
  }

  /// Second phase: dx of tokens [begin, end), in slot order.
  void combine(const ExpertTask& task, const TensorView& dx) const {
    for (std::int64_t t = task.begin; t < task.end; ++t) {
      const auto at = static_cast<std::size_t>(t);
      for (std::int32_t entry = bank_.dispatch.tokenBegin[at]; entry < bank_.dispatch.tokenBegin[at + 1]; ++entry) {
        const std::int64_t a = bank_.dispatch.assignmentOf[static_cast<std::size_t>(entry)];
        addRow(dx.as<float>() + t * spec_.width, rows_.dInputs.data + a * spec_.width, spec_.width);
      }
    }
  }

 private:
  std::int64_t first(std::int32_t e) const { return bank_.dispatch.expertBegin[static_cast<std::size_t>(e)]; }
  std::int64_t admitted(std::int32_t e) const {
    return bank_.dispatch.admittedEnd[static_cast<std::size_t>(e)] - first(e);
  }
  const float* inputs(std::int32_t e) const { return rows_.inputs.at(bank_, first(e)); }
  const float* savedOf(std::int64_t array, std::int32_t e, std::int64_t assignment) const {
    return saved_ + array * savedStride_ + bank_.hiddenOffset(e, assignment);
  }
  float* dUpOf(std::int32_t e, std::int64_t assignment) const {
    return rows_.dUp + bank_.hiddenOffset(e, assignment) * (spec_.kind == ExpertKind::clampedGlu ? 2 : 1);
  }
  float* dGateOf(std::int32_t e, std::int64_t assignment) const {
    return rows_.dGate + bank_.hiddenOffset(e, assignment);
  }

  /// Fills inputs and dOutputs where they are gathered. Returns dy's rows without the assignments' weights.
  const float* gather(const ExpertTask& task, const TensorView& x, const TensorView& dy, float* memory) const {
    const std::int64_t width = spec_.width, outputs = spec_.outputWidth;
    for (std::int64_t a = task.begin; a < task.end; ++a) {
      const std::int64_t t = bank_.tokenOf(a);
      const float* dRow = dy.as<float>() + t * outputs;
      if (!rows_.inputs.byToken)
        copyScaledRow(rows_.inputs.at(bank_, a), x.as<float>() + t * width, bank_.inputScale(a), width);
      if (!rows_.dOutputs.byToken) copyScaledRow(rows_.dOutputs.at(bank_, a), dRow, bank_.outputScale(a), outputs);
      if (bank_.scalesOutput() && !bank_.dispatch.everyToken)
        copyScaledRow(memory + (a - task.begin) * outputs, dRow, 1, outputs);
    }
    if (bank_.dispatch.everyToken) return dy.as<float>() + bank_.tokenOf(task.begin) * outputs;
    return bank_.scalesOutput() ? memory : rows_.dOutputs.at(bank_, task.begin);
  }

  /// d (F), the gradient of the hidden activation, to that of the pre-activations. Returns d . hidden.
  double throughHidden(const ExpertTask& task, std::int64_t row, float* d) const {
    const std::int32_t e = task.expert;
    const std::int64_t a = task.begin + row, n = bank_.hidden(e);
    const float scale = bank_.outputScale(a);
    const float *hidden = savedOf(0, e, a), *slope = savedOf(1, e, a);
    if (spec_.kind == ExpertKind::mlp) return throughActivation(d, hidden, slope, scale, n);
    const float* upSlope = savedOf(2, e, a);
    if (spec_.kind == ExpertKind::clampedGlu)
      return throughClampedGlu(dUpOf(e, a), d, hidden, slope, upSlope, scale, n);
    return throughGlu(dGateOf(e, a), dUpOf(e, a), d, hidden, slope, upSlope, scale, n);
  }

  /// dIn (count, D) = dUp up (+ dGate gate).
  void inputGradient(const ExpertTask& task, float* dIn) const {
    const std::int32_t e = task.expert;
    const std::int64_t n = bank_.upRows(e), count = task.end - task.begin;
    const auto add = [&](const float* d, const TensorView& weight, float beta) {
      gemmOnThisThread({.m = count,
                        .n = spec_.width,
                        .k = n,
                        .a = d,
                        .lda = n,
                        .b = bank_.upMatrix(weight, e),
                        .ldb = spec_.width,
                        .beta = beta,
                        .c = dIn,
                        .ldc = spec_.width});
    };
    add(dUpOf(e, task.begin), weights_.up, 0);
    if (spec_.kind == ExpertKind::glu) add(dGateOf(e, task.begin), weights_.gate, 1);
  }

  /// Rows [begin, end) of dWeight (m, n) = or += left^T (m, A) right (A, n), and of dBias (m) column sums of left.
  void product(float* dWeight, float* dBias, const float* left, std::int64_t m, const float* right, std::int64_t n,
               const ExpertTask& task) const {
    const std::int64_t count = task.end - task.begin, rows = admitted(task.expert);
    const bool add = gradients_ == Gradients::add;
    if (dBias && !add) std::fill_n(dBias + task.begin, count, 0.0f);
    if (dWeight && rows == 0) {  // planned only to overwrite
      std::fill_n(dWeight + task.begin * n, count * n, 0.0f);
    } else if (dWeight) {
      gemmOnThisThread({.transposeA = true,
                        .m = count,
                        .n = n,
                        .k = rows,
                        .a = left + task.begin,
                        .lda = m,
                        .b = right,
                        .ldb = n,
                        .beta = add ? 1.0f : 0.0f,
                        .c = dWeight + task.begin * n,
                        .ldc = n});
    }
    if (dBias) addColumnSums(dBias + task.begin, left + task.begin, m, rows, count);
  }

  const ExpertsBank& bank_;
  const ExpertsSpec& spec_;
  const ExpertsWeights &weights_, &dWeights_;
  const BackwardRows& rows_;
  const float* saved_;
  std::int64_t savedStride_;
  Gradients gradients_;
};

}  // namespace

void OnednnBackend::expertsBackward(const TensorView& dx, const ExpertsWeights& dWeights, const TensorView& dAssignment,
                                    const TensorView& dy, const TensorView& x, const TensorView& saved,
                                    const Dispatch& dispatch, const ExpertsSpec& spec, const ExpertsWeights& weights,
                                    const TensorView& keep, Gradients gradients) {
  const auto timed = timer_.time("experts backward");
  const std::span<double> slopes = inDispatchOrder(dAssignment, dispatch);
  if (inBf16(spec, dispatch.assignments()))
    return expertsBackwardBf16(dx, dWeights, slopes, dy, x, saved, dispatch, spec, weights, keep, gradients);
  const std::int64_t widest = widestHidden(spec), assignments = dispatch.assignments();
  const ExpertsBank bank(dispatch, spec, keep, scratch_.zeros(2 * widest));
  const std::int64_t arrays = ExpertsBank::savedArrays(spec.kind);
  const std::int64_t savedStride = arrays == 0 ? 0 : saved.elements() / arrays;
  assert(savedStride >= (arrays == 0 ? 0 : assignments * widest));
  std::ranges::fill(slopes, 0.0);

  BackwardRows rows;
  rows.inputs = {.width = spec.width, .byToken = dispatch.everyToken && !bank.scalesInput()};
  rows.inputs.data = rows.inputs.byToken ? x.as<float>() : scratch_.shared(0, assignments * spec.width);
  rows.dOutputs = {.width = spec.outputWidth, .byToken = dispatch.everyToken && !bank.scalesOutput()};
  rows.dOutputs.data = rows.dOutputs.byToken ? dy.as<float>() : scratch_.shared(1, assignments * spec.outputWidth);
  rows.dUp = scratch_.shared(2, assignments * widest * (spec.kind == ExpertKind::clampedGlu ? 2 : 1));
  rows.dGate = spec.kind == ExpertKind::glu ? scratch_.shared(3, assignments * widest) : nullptr;
  rows.dInputs = {.data = scratch_.shared(4, assignments * spec.width), .width = spec.width};
  scratch_.reserve(kMaxRows * (spec.outputWidth + widest));

  planRows(tasks_, dispatch, spec, threads_);
  planGradients(gradientTasks_, dispatch, spec, threads_, 0, gradients == Gradients::overwrite);
  const ExpertsBackward work(bank, weights, dWeights, rows, saved.as<float>(), savedStride, gradients);
  const auto rowTasks = static_cast<std::int64_t>(tasks_.size()),
             tileTasks = static_cast<std::int64_t>(gradientTasks_.size());
#pragma omp parallel num_threads(threads_)
  {
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < rowTasks; ++i)
      work.rows(tasks_[static_cast<std::size_t>(i)], x, dy, slopes, scratch_.ofThread(omp_get_thread_num()));
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < tileTasks; ++i) {
      const ExpertTask& task = gradientTasks_[static_cast<std::size_t>(i)];
      switch (task.kind) {
        case ExpertTask::Kind::rows: break;
        case ExpertTask::Kind::upGradient: work.upGradient(task); break;
        case ExpertTask::Kind::downGradient: work.downGradient(task); break;
        case ExpertTask::Kind::combine:
          if (!dx.empty()) work.combine(task, dx);
          break;
      }
    }
  }
}

}  // namespace moe
