// Bound by memory: a generated token reads its experts' weights once. Each matrix of each expert is split over the team
// by its rows, so that a second expert is not what gives the second thread something to do; one barrier, between the
// hidden units and the outputs.
#include "core/backend/onednn/experts_activation.h"
#include "core/backend/onednn/experts_bank.h"
#include "core/backend/onednn/few_rows.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"

namespace moe {
namespace {

/// One token's admitted assignments, in slot order.
void planSlots(std::vector<ExpertTask>& slots, const Dispatch& dispatch) {
  slots.clear();
  for (const std::int32_t assignment : dispatch.assignmentOf) {
    const auto after = std::upper_bound(dispatch.expertBegin.begin(), dispatch.expertBegin.end(), assignment);
    slots.push_back({.expert = static_cast<std::int32_t>(after - dispatch.expertBegin.begin()) - 1,
                     .begin = assignment,
                     .end = assignment + 1});
  }
}

class OneToken {
 public:
  /// hidden (slots, widest); others (slots, 4 * widest): pre-activations, which activation overwrites by slopes.
  OneToken(const ExpertsBank& bank, const ExpertsWeights& weights, const float* x, float* hidden, float* others)
      : bank_(bank), spec_(bank.spec), weights_(weights), x_(x), hidden_(hidden), others_(others) {}

  /// Hidden units [range.begin, range.end) of this slot's expert. memory (D).
  void hiddenUnits(const ExpertTask& task, std::int64_t slot, Range range, float* memory) const {
    const std::int32_t e = task.expert;
    const std::int64_t first = range.begin, count = range.end - first;
    const float* const in = input(task.begin, memory);
    float *const to = hidden_ + slot * bank_.widest + first, *const pre = others_ + slot * 4 * bank_.widest;
    const float* const upBias = bank_.upBias(weights_.upBias, e);
    switch (spec_.kind) {
      case ExpertKind::linear: return;
      case ExpertKind::mlp:
        times(to, bank_.upMatrix(weights_.up, e), in, first, count);
        return activate(spec_.activation, to, nullptr, upBias + first, 1, count);
      case ExpertKind::glu: {
        float *const gate = pre + first, *const up = gate + bank_.widest;
        times(gate, bank_.upMatrix(weights_.gate, e), in, first, count);
        times(up, bank_.upMatrix(weights_.up, e), in, first, count);
        const float* const gateBias = bank_.upBias(weights_.gateBias, e);
        return activateGlu(spec_.activation, to, gate, up, gateBias + first, upBias + first, 1, count);
      }
      case ExpertKind::clampedGlu: {
        float *const both = pre + 2 * first, *const slopes = pre + 2 * bank_.widest + first;
        times(both, bank_.upMatrix(weights_.up, e), in, 2 * first, 2 * count);
        return activateClampedGlu(to, slopes, slopes + bank_.widest, both, upBias + 2 * first,
                                  static_cast<float>(spec_.alpha), static_cast<float>(spec_.limit), 1, count);
      }
    }
  }

  /// y of outputs [range.begin, range.end) = or += the weighed sum over the slots. memory (D + O).
  void outputs(float* y, std::span<const ExpertTask> slots, Range range, bool accumulate, float* memory) const {
    const std::int64_t count = range.end - range.begin;
    if (!accumulate && slots.empty()) std::fill_n(y + range.begin, count, 0.0f);
    float* const sums = memory + spec_.width;
    for (std::size_t slot = 0; slot < slots.size(); ++slot) {
      const std::int32_t e = slots[slot].expert;
      const std::int64_t columns = bank_.downColumns(e), assignment = slots[slot].begin;
      const float* const hidden = spec_.kind == ExpertKind::linear
                                      ? input(assignment, memory)
                                      : hidden_ + static_cast<std::int64_t>(slot) * bank_.widest;
      fewRowsTimesWeight(sums, count, hidden, columns, bank_.downMatrix(weights_.down, e) + range.begin * columns,
                         columns, 1, count, columns, false);
      if (const float* bias = bank_.downBias(weights_.downBias, e)) addRow(sums, bias + range.begin, count);
      (accumulate || slot > 0 ? addScaledRow : copyScaledRow)(y + range.begin, sums, bank_.outputScale(assignment),
                                                              count);
    }
  }

 private:
  const float* input(std::int64_t assignment, float* memory) const {
    if (!bank_.scalesInput()) return x_;
    copyScaledRow(memory, x_, bank_.inputScale(assignment), spec_.width);
    return memory;
  }
  void times(float* to, const float* matrix, const float* in, std::int64_t first, std::int64_t count) const {
    fewRowsTimesWeight(to, count, in, spec_.width, matrix + first * spec_.width, spec_.width, 1, count, spec_.width,
                       false);
  }

  const ExpertsBank& bank_;
  const ExpertsSpec& spec_;
  const ExpertsWeights& weights_;
  const float* x_;
  float *hidden_, *others_;
};

}  // namespace

void OnednnBackend::expertsOfOneToken(const TensorView& y, const TensorView& x, const ExpertsBank& bank,
                                      const ExpertsWeights& weights, bool accumulate) {
  const ExpertsSpec& spec = bank.spec;
  planSlots(tasks_, bank.dispatch);
  const auto slots = static_cast<std::int64_t>(tasks_.size());
  float* const hidden = scratch_.shared(0, slots * bank.widest);
  scratch_.reserve(spec.width + spec.outputWidth);
  const OneToken work(bank, weights, x.as<float>(), hidden, scratch_.shared(1, slots * 4 * bank.widest));
  std::int64_t read = 0;  // weights
  for (const ExpertTask& task : tasks_)
    read += bank.upRows(task.expert) * spec.width + bank.downColumns(task.expert) * spec.outputWidth;
  const int threads = threadsForWeights(read);
#pragma omp parallel num_threads(threads)
  {
    const int part = omp_get_thread_num();
    float* const memory = scratch_.ofThread(part);
    for (std::int64_t slot = 0; slot < slots && spec.kind != ExpertKind::linear; ++slot) {
      const ExpertTask& task = tasks_[static_cast<std::size_t>(slot)];
      work.hiddenUnits(task, slot, partOf(bank.hidden(task.expert), threads, part), memory);
    }
#pragma omp barrier
    work.outputs(y.as<float>(), tasks_, partOf(spec.outputWidth, threads, part), accumulate, memory);
  }
}

}  // namespace moe
