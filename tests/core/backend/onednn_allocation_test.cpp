#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/backend/backend.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/train/bench_config.h"
#include "core/train/trainer.h"
#include "tests/support/ops/experts.h"
#include "tests/support/register.h"

namespace {
std::atomic<std::int64_t> allocations{0};

/// Whether this address lies in oneDNN: executing a primitive makes lists there that are no affair of ours.
bool isInOnednn(void* address) {
  Dl_info info;
  return dladdr(address, &info) != 0 && info.dli_fname && std::strstr(info.dli_fname, "libdnnl") != nullptr;
}

void* counted(std::size_t bytes, std::size_t alignment, void* caller) {
  if (!isInOnednn(caller)) ++allocations;
  const std::size_t rounded = (bytes / alignment + 1) * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (!memory) throw std::bad_alloc();
  return memory;
}
}  // namespace

// The whole program counts, so that a helper's allocation shows as much as an operation's own.
void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t), __builtin_return_address(0)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
}
// The sanitizers' own versions of these would not call the ones above, and free elsewhere.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept try {
  return counted(bytes, alignof(std::max_align_t), __builtin_return_address(0));
} catch (const std::bad_alloc&) { return nullptr; }
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept try {
  return counted(bytes, static_cast<std::size_t>(alignment), __builtin_return_address(0));
} catch (const std::bad_alloc&) { return nullptr; }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace moe;
using namespace moe::test;

namespace {

RunConfig smallRun() {
  RunConfig run = benchConfig("tiny", false);
  run.model.layers.resize(2);
  run.train.batch = 2;
  return run;
}

}  // namespace

/// What a training step may not do, and must give.
class OnednnAllocationTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theCounterCounts() {
    const std::int64_t before = allocations;
    const Tensor tensor = hostTensor({4}, DType::f32);
    QVERIFY(allocations > before);
  }
  void operationsAllocateNothingOnceTheirSizesWereSeen_data() {
    QTest::addColumn<bool>("narrow");
    QTest::newRow("f32") << false;
    if (hasBf16Products()) QTest::newRow("bf16") << true;
  }
  void operationsAllocateNothingOnceTheirSizesWereSeen() {
    QFETCH(bool, narrow);
    constexpr std::int64_t kTokens = 300, kWidth = 32, kHidden = 64, kVocabulary = 50;
    OnednnBackend backend(2, narrow ? DType::bf16 : DType::f32);
    const auto drawn = [&](Shape shape) {
      Tensor out = backend.allocate(shape, DType::f32);
      fillNormal(out, {.seed = static_cast<std::uint64_t>(shape.elements())}, 0, 0.1);
      return out;
    };
    ExpertsSpec spec{.width = kWidth, .outputWidth = kWidth, .hidden = {kHidden, kHidden, kHidden}};
    Dispatch dispatch = unevenDispatch(kTokens, 3, 2, true);
    std::fill(dispatch.weight.begin(), dispatch.weight.end(), 0.5);
    const Tensor gate = drawn({3 * kHidden, kWidth}), up = drawn({3 * kHidden, kWidth}),
                 down = drawn({3 * kHidden * kWidth});
    const Tensor dGate = drawn(gate.shape()), dUp = drawn(up.shape()), dDown = drawn(down.shape());
    ExpertsWeights weights, gradients;
    weights.gate = gate, weights.up = up, weights.down = down;
    gradients.gate = dGate, gradients.up = dUp, gradients.down = dDown;
    const Tensor saved = backend.allocate({backend.expertsSavedElements(spec, dispatch.assignments())}, DType::f32);
    const AttentionSpec attention{
        .sequences = 3, .length = 100, .heads = 2, .kvHeads = 1, .headWidth = 16, .ropeTheta = 1e4};
    const Tensor qkv = drawn({kTokens, attention.qkvWidth()}), dQkv = drawn(qkv.shape());
    const Tensor logSums = backend.allocate({backend.attentionSavedElements(attention)}, DType::f32);
    const Tensor x = drawn({kTokens, kWidth}), y = drawn(x.shape()), dx = drawn(x.shape()), dy = drawn(x.shape());
    const Tensor table = drawn({kVocabulary, kWidth}), dTable = drawn(table.shape()),
                 logits = drawn({kTokens, kVocabulary});
    const Tensor losses = drawn({kTokens}), scale = drawn({kWidth}), dScale = drawn({kWidth}),
                 statistics = drawn({kTokens, 2});
    const Tensor m = drawn(table.shape()), v = backend.allocate(table.shape(), DType::f32),
                 sum = backend.allocate({1}, DType::f64);
    const std::vector<std::int32_t> ids(kTokens, 7);
    const Tensor dAssignment = backend.allocate({dispatch.assignments()}, DType::f64);
    const AdamWPart part{table, m, v, dTable};
    const auto step = [&] {
      backend.embedding(x, table, {}, ids, {});
      backend.norm(y, statistics, x, scale, {}, NormKind::rms, 1e-5);
      backend.attention(y, logSums, qkv, attention);
      backend.experts(y, saved, x, dispatch, spec, weights, {}, true);
      backend.linear(logits, y, table, {}, false);
      backend.crossEntropy(losses, logits, ids, 0.1);
      backend.linearBackward(dy, dTable, {}, logits, y, table, false, Gradients::overwrite);
      backend.expertsBackward(dx, gradients, dAssignment, dy, x, saved, dispatch, spec, weights, {},
                              Gradients::overwrite);
      backend.attentionBackward(dQkv, dy, y, logSums, qkv, attention);
      backend.normBackward(dx, dScale, {}, dy, x, statistics, scale, NormKind::rms);
      backend.embeddingBackward(dTable, {}, dx, ids, {});
      backend.sumOfSquares(sum, {&part.gradient, 1});
      backend.adamw({&part, 1}, {.learningRate = 1e-3}, {});
    };
    step();
    step();
    QVERIFY(!narrow || backend.primitivesMade() > 0);
    const std::int64_t before = allocations, made = backend.primitivesMade();
    for (int i = 0; i < 3; ++i) step();
    QCOMPARE(allocations.load() - before, std::int64_t{0});
    QCOMPARE(backend.primitivesMade(), made);
  }
  void workingMemoryStopsGrowingInTraining() {
    OnednnBackend backend(2);
    const RunConfig run = smallRun();
    Trainer trainer(backend, run, randomCorpus(run.model.vocabulary, 20'000, 1));
    for (int i = 0; i < 3; ++i) trainer.step();
    const std::int64_t before = backend.scratchAllocations();
    for (int i = 0; i < 10; ++i) trainer.step();
    QCOMPARE(backend.scratchAllocations(), before);
  }
  void theSameSeedAndThreadsGiveTheSameBits() {
    const RunConfig run = smallRun();
    const auto corpus = randomCorpus(run.model.vocabulary, 20'000, 1);
    std::vector<std::vector<float>> parameters;
    for (int round = 0; round < 2; ++round) {
      OnednnBackend backend(3);
      Trainer trainer(backend, run, corpus);
      for (int i = 0; i < 5; ++i) trainer.step();
      std::vector<float>& all = parameters.emplace_back();
      for (const Parameter& parameter : trainer.model().parameters().all()) {
        const auto values = parameter.value.span<float>();
        all.insert(all.end(), values.begin(), values.end());
      }
    }
    QCOMPARE(parameters[0], parameters[1]);
  }
};
SWITCHYARD_TEST(OnednnAllocationTest)
#include "onednn_allocation_test.moc"
