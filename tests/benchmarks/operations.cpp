// Prints one table: each operation of the fast backend at the sizes of the bench models, its speed, and its share of
// the ceiling that bounds it, measured in the same run. Best of several rounds, so that a busy moment does not count.
// In f32 all of them; then, where the processor has bf16 products, those that use them.
//   benchmark_operations [threads, 0: all cores] [rounds]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "core/backend/backend.h"
#include "core/backend/onednn/gemm_peak.h"
#include "core/tensor/philox.h"
#include "core/train/bench_config.h"

using namespace moe;

namespace {

class Table {
 public:
  Table(Backend& backend, int rounds) : backend_(backend), rounds_(rounds) {}

  double seconds(const std::function<void()>& work) const {
    double best = 1e9;
    for (int round = 0; round < rounds_; ++round) {
      const auto start = std::chrono::steady_clock::now();
      work();
      backend_.synchronize();
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
  }
  /// Both ceilings, printed first: a large matrix product, and reading two numbers and writing one (out += in).
  void measureCeilings() {
    const bool narrow = backend_.computeType() == DType::bf16;
    flops_ = narrow ? measuredBf16Peak(backend_.threads()) : measuredGemmPeak(backend_.threads());
    const std::int64_t n = 1 << 25;  // 128 MB each: outside every cache
    const Tensor a = backend_.allocate({n}, DType::f32), b = backend_.allocate({n}, DType::f32);
    bytes_ = 12.0 * static_cast<double>(n) / seconds([&] { backend_.add(a, b); });
    std::printf("%sceilings: %.0f GFLOP/s (%s), %.1f GB/s (out += in), %d threads\n\n", narrow ? "\n" : "",
                flops_ / 1e9, narrow ? "bf16 products" : "sgemm", bytes_ / 1e9, backend_.threads());
    std::printf("| model | operation | ms | speed | of its ceiling |\n|---|---|---:|---:|---:|\n");
  }
  void arithmetic(const std::string& model, const std::string& name, double flops, const std::function<void()>& work) {
    row(model, name, flops, flops_, "GFLOP/s", work);
  }
  void memory(const std::string& model, const std::string& name, double bytes, const std::function<void()>& work) {
    row(model, name, bytes, bytes_, "GB/s", work);
  }

 private:
  void row(const std::string& model, const std::string& name, double amount, double ceiling, const char* unit,
           const std::function<void()>& work) {
    const double time = seconds(work), speed = amount / time;
    std::printf("| %s | %s | %.3f | %.1f %s | %.0f %% |\n", model.c_str(), name.c_str(), 1e3 * time, speed / 1e9, unit,
                100 * speed / ceiling);
    std::fflush(stdout);
  }

  Backend& backend_;
  int rounds_;
  double flops_ = 0, bytes_ = 0;
};

/// Assignments of k experts a token, evenly spread, or all of them to the first k (a collapsed router).
Dispatch dispatchOf(std::int64_t tokens, std::int32_t experts, std::int32_t k, bool collapsed) {
  Dispatch out;
  out.tokens = tokens;
  out.experts = experts;
  for (std::int32_t e = 0; e < experts; ++e) {
    out.expertBegin.push_back(static_cast<std::int32_t>(out.token.size()));
    for (std::int32_t t = 0; t < tokens; ++t)
      for (std::int32_t slot = 0; slot < k; ++slot)
        if ((collapsed ? slot : (t * k + slot) % experts) == e) {
          out.token.push_back(t);
          out.slot.push_back(slot);
        }
    out.admittedEnd.push_back(static_cast<std::int32_t>(out.token.size()));
  }
  out.expertBegin.push_back(static_cast<std::int32_t>(out.token.size()));
  out.weight.assign(out.token.size(), 0.5);
  out.assignmentOf.resize(out.token.size());
  for (std::int32_t t = 0; t <= tokens; ++t) out.tokenBegin.push_back(t * k);
  for (std::size_t a = 0; a < out.token.size(); ++a)
    out.assignmentOf[static_cast<std::size_t>(out.token[a] * k + out.slot[a])] = static_cast<std::int32_t>(a);
  return out;
}

class Model {
 public:
  Model(Backend& backend, const BenchModel& sizes, Table& table)
      : backend_(backend),
        m_(sizes),
        table_(table),
        tokens_(sizes.batch * sizes.context),
        x_(drawn({tokens_, m_.width})),
        y_(drawn({tokens_, m_.width})),
        dx_(drawn({tokens_, m_.width})),
        dy_(drawn({tokens_, m_.width})) {}

  void run() {
    experts(false);
    experts(true);
    const bool narrow = backend_.computeType() == DType::bf16;
    if (!narrow) attention();
    linear("attention's input", m_.width, 3 * m_.width);
    linear("head", m_.width, m_.vocabulary);
    optimizer();
    if (!narrow) rows();
  }

 private:
  Tensor drawn(Shape shape) const {
    Tensor out = backend_.allocate(shape, DType::f32);
    fillNormal(out, {.seed = static_cast<std::uint64_t>(shape.elements())}, 0, 0.1);
    return out;
  }

  void experts(bool collapsed) {
    const std::int64_t E = m_.experts, H = E * m_.hidden, D = m_.width;
    ExpertsSpec spec{.kind = ExpertKind::mlp,
                     .activation = Activation::gelu,
                     .width = D,
                     .outputWidth = D,
                     .hidden = std::vector<std::int64_t>(static_cast<std::size_t>(E), m_.hidden)};
    const Dispatch dispatch = dispatchOf(tokens_, m_.experts, m_.perToken, collapsed);
    const Tensor up = drawn({H, D}), down = drawn({H * D, 1}), upBias = drawn({H}), downBias = drawn({E, D});
    const Tensor dUp = drawn({H, D}), dDown = drawn({H * D, 1}), dUpBias = drawn({H}), dDownBias = drawn({E, D});
    const Tensor saved = backend_.allocate({backend_.expertsSavedElements(spec, dispatch.assignments())}, DType::f32);
    ExpertsWeights weights, gradients;
    weights.up = up, weights.down = down, weights.upBias = upBias, weights.downBias = downBias;
    gradients.up = dUp, gradients.down = dDown, gradients.upBias = dUpBias, gradients.downBias = dDownBias;
    const Tensor dAssignment = backend_.allocate({dispatch.assignments()}, DType::f64);
    const double flops = 4.0 * static_cast<double>(dispatch.assignments() * D * m_.hidden);
    const std::string name = collapsed ? "experts, collapsed" : "experts";
    table_.arithmetic(m_.name, name, flops,
                      [&] { backend_.experts(y_, saved, x_, dispatch, spec, weights, {}, false); });
    table_.arithmetic(m_.name, name + ", backward", 2 * flops, [&] {
      backend_.expertsBackward(dx_, gradients, dAssignment, dy_, x_, saved, dispatch, spec, weights, {});
    });
  }

  void attention() {
    const AttentionSpec spec{.sequences = m_.batch,
                             .length = m_.context,
                             .heads = m_.heads,
                             .kvHeads = m_.heads,
                             .headWidth = m_.width / m_.heads};
    const Tensor qkv = drawn({tokens_, 3 * m_.width}), dQkv = drawn({tokens_, 3 * m_.width});
    const Tensor saved = backend_.allocate({backend_.attentionSavedElements(spec)}, DType::f32);
    const double flops =
        2.0 * static_cast<double>(tokens_ * m_.context * m_.width);  // half the scores: the causal mask
    table_.arithmetic(m_.name, "attention", flops, [&] { backend_.attention(y_, saved, qkv, spec); });
    table_.arithmetic(m_.name, "attention, backward", 2 * flops,
                      [&] { backend_.attentionBackward(dQkv, dy_, y_, saved, qkv, spec); });
  }

  void linear(const std::string& name, std::int64_t inputs, std::int64_t outputs) {
    const Tensor y = drawn({tokens_, outputs}), weight = drawn({outputs, inputs}), dWeight = drawn({outputs, inputs});
    const double flops = 2.0 * static_cast<double>(tokens_ * inputs * outputs);
    table_.arithmetic(m_.name, name, flops, [&] { backend_.linear(y, x_, weight, {}, false); });
    table_.arithmetic(m_.name, name + ", backward", 2 * flops,
                      [&] { backend_.linearBackward(dx_, dWeight, {}, y, x_, weight, false); });
  }

  void rows() {
    const auto size = static_cast<double>(tokens_ * m_.width);
    const Tensor weight = drawn({m_.width}), bias = drawn({m_.width}), statistics = drawn({tokens_, 2});
    const Tensor dWeight = drawn({m_.width}), dBias = drawn({m_.width});
    table_.memory(m_.name, "norm", 8 * size,
                  [&] { backend_.norm(y_, statistics, x_, weight, bias, NormKind::layer, 1e-5); });
    table_.memory(m_.name, "norm, backward", 16 * size,
                  [&] { backend_.normBackward(dx_, dWeight, dBias, dy_, x_, statistics, weight, NormKind::layer); });
    const Tensor logits = drawn({tokens_, m_.vocabulary}), losses = drawn({tokens_});
    const std::vector<std::int32_t> targets(static_cast<std::size_t>(tokens_), 3);
    table_.memory(m_.name, "cross entropy", 8.0 * static_cast<double>(logits.elements()),
                  [&] { backend_.crossEntropy(losses, logits, targets, 1e-4); });
  }

  void optimizer() {
    const std::int64_t n = 2LL * m_.experts * m_.hidden * m_.width;
    const Tensor parameter = drawn({n, 1}), m = drawn({n, 1}), v = backend_.allocate({n, 1}, DType::f32);
    const Tensor gradient = drawn({n, 1}), sum = backend_.allocate({1}, DType::f64);
    const AdamWPart part{parameter, m, v, gradient};
    // In bf16 the copy that products read is written too, once a product has read it.
    if (backend_.computeType() == DType::bf16) {
      const Tensor y = drawn({32, n / m_.width});
      backend_.linear(y, x_.view().rows(0, 32), parameter.view().reshaped({n / m_.width, m_.width}), {}, false);
    }
    table_.memory(m_.name, "adamw", (backend_.computeType() == DType::bf16 ? 30.0 : 28.0) * static_cast<double>(n),
                  [&] {
                    backend_.adamw({&part, 1}, {.learningRate = 1e-4}, {});
                  });
    table_.memory(m_.name, "sum of squares", 4.0 * static_cast<double>(n), [&] {
      backend_.sumOfSquares(sum, {&part.gradient, 1});
    });
  }

  Backend& backend_;
  const BenchModel& m_;
  Table& table_;
  std::int64_t tokens_;
  Tensor x_, y_, dx_, dy_;  // (T, D)
};

}  // namespace

int main(int argc, char** argv) {
  for (const DType type : {DType::f32, DType::bf16}) {
    if (!canCompute("onednn", type)) continue;
    const auto backend = makeBackend({.threads = argc > 1 ? std::atoi(argv[1]) : 0, .computeType = type});
    Table table(*backend, argc > 2 ? std::max(1, std::atoi(argv[2])) : 20);
    table.measureCeilings();
    for (const BenchModel& model : benchModels()) Model(*backend, model, table).run();
  }
  return 0;
}
