#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/backend/registry.h"
#include "core/base/error.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

/// What every backend shares: being made by name, memory, the profile.
class BackendTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aBackendIsMadeByName() {
    const auto backend = makeBackend({.name = "reference", .threads = 0, .computeType = DType::f64});
    QCOMPARE(backend->name(), std::string("reference"));
    QCOMPARE(backend->computeType(), DType::f64);
    QCOMPARE(backend->threads(), 1);
  }
  void anUnknownBackendOrComputeTypeSaysWhatThereIs() {
    const auto sentence = [](const BackendOptions& options) -> std::string {
      try {
        makeBackend(options);
      } catch (const Error& error) { return error.what(); }
      return "made";
    };
    const std::string unknown = sentence({.name = "abacus"});
    for (const char* part : {"[backend] expected one of onednn, reference", "cuda", "found abacus"})
      QVERIFY2(unknown.find(part) != std::string::npos, unknown.c_str());
    QVERIFY(sentence({.name = "reference", .threads = 0, .computeType = DType::bf16}).find("found bf16") !=
            std::string::npos);
    QVERIFY(sentence({.name = "onednn", .threads = 1, .computeType = DType::f64}).find("found f64") !=
            std::string::npos);
  }
  void whatABackendComputesInIsWhatItIsMadeWith() {
    for (const char* name : {"reference", "onednn"})
      for (const DType type : {DType::f32, DType::f64, DType::bf16, DType::i32}) {
        bool made = true;
        try {
          QCOMPARE(makeBackend({.name = name, .threads = 1, .computeType = type})->computeType(), type);
        } catch (const Error&) { made = false; }
        QCOMPARE(canCompute(name, type), made);
      }
    QVERIFY(!canCompute("abacus", DType::f32));
    QVERIFY(!canCompute("cuda", DType::f32) || backendProblem("cuda").empty());
  }
  void memoryIsZeroedAndAligned() {
    ReferenceBackend backend;
    const Tensor tensor = backend.allocate({3, 5}, DType::f32);
    QCOMPARE(reinterpret_cast<std::uintptr_t>(tensor.as<float>()) % 64, std::uintptr_t{0});
    for (const float value : tensor.span<float>()) QCOMPARE(value, 0.0F);
    QVERIFY(backend.allocate({0, 4}, DType::f64).empty());
  }
  void copyConvertsBetweenPrecisions() {
    ReferenceBackend backend;
    const Tensor in = numbers({3}, {0.5, -2, 0.1}), single = hostTensor({3}, DType::f32),
                 back = hostTensor({3}, DType::f64);
    backend.copy(single, in);
    QCOMPARE(single.as<float>()[2], 0.1F);
    backend.copy(back, single);
    QCOMPARE(valuesOf(back), (std::vector<double>{0.5, -2, static_cast<double>(0.1F)}));
    backend.copy(back, in);
    QCOMPARE(valuesOf(back), valuesOf(in));
  }
  void fillSetsAndAddAccumulates() {
    ReferenceBackend backend;
    const Tensor out = numbers({3}, {1, 2, 3});
    backend.add(out, numbers({3}, {10, 20, 30}));
    QCOMPARE(valuesOf(out), (std::vector<double>{11, 22, 33}));
    backend.fill(out, -1);
    QCOMPARE(valuesOf(out), (std::vector<double>{-1, -1, -1}));
  }
  void theProfileCountsCallsOnlyWhileItIsOn() {
    ReferenceBackend backend;
    const Tensor out = hostTensor({3}, DType::f32);
    backend.fill(out, 1);
    QVERIFY(backend.profile().empty());
    backend.setProfiling(true);
    backend.add(out, out);
    backend.fill(out, 1);
    backend.add(out, out);
    const std::vector<OperationTime> profile = backend.profile();
    QCOMPARE(profile.size(), std::size_t{2});
    QCOMPARE(profile[0].operation, std::string("add"));
    QCOMPARE(profile[0].calls, std::int64_t{2});
    QCOMPARE(profile[1].calls, std::int64_t{1});
    QVERIFY(profile[0].seconds >= 0);
    backend.setProfiling(false);
    backend.fill(out, 1);
    QVERIFY(backend.profile().empty());
  }
};
SWITCHYARD_TEST(BackendTest)
#include "backend_test.moc"
