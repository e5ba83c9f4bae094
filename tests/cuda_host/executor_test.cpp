#include "core/backend/cuda/device.cuh"

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/support/child_process.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::cuda;

namespace {

constexpr int kThreadsOfTest = 64;
using Row = std::array<float, kThreadsOfTest>;

/// Every thread reads what the next one wrote.
template <bool kBarrier>
struct PassOn {
  static constexpr const char* kName = "pass on";
  float* out;
  void operator()() const {
    float* const room = shared<float>();
    room[threadOfBlock()] = static_cast<float>(threadOfBlock());
    if (kBarrier) cuda::sync();
    out[threadOfBlock()] = room[(threadOfBlock() + 1) % threadsOfBlock()];
  }
};
struct ReadsSharedUnwritten {
  static constexpr const char* kName = "reads unwritten";
  float* out;
  void operator()() const { out[threadOfBlock()] = shared<float>()[threadOfBlock()]; }
};
struct BarrierOfSome {
  static constexpr const char* kName = "barrier of some";
  float* out;
  void operator()() const {
    if (lane() == 0)
      cuda::sync();
    else
      out[threadOfBlock()] = shuffle(1.0f, 0);
  }
};
struct LanesDisagree {
  static constexpr const char* kName = "lanes disagree";
  float* out;
  void operator()() const {
    if (lane() < 16)
      out[lane()] = static_cast<float>(ballot(true));
    else
      out[lane()] = shuffle(1.0f, 0);
  }
};
struct CopyNotAwaited {
  static constexpr const char* kName = "copy not awaited";
  float* out;
  void operator()() const {
    if (threadOfBlock() != 0) return;
    copyAsync16(shared<float>(), out, true);
    commitCopies();
  }
};

template <class Kernel>
Row runOnce() {
  alignas(16) Row out{};
  const Kernel kernel{out.data()};
  const int grid[3] = {1, 1, 1};
  host::run([](const void* arguments) { (*static_cast<const Kernel*>(arguments))(); }, &kernel, Kernel::kName, grid,
            kThreadsOfTest, kThreadsOfTest * 4);
  return out;
}

/// What a kernel that could not end on a GPU says as it ends its process.
template <class Kernel>
std::string lastWords() {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() / "said";
  const std::string ended = test::inChild([&]() -> std::string {
    if (!std::freopen(path.c_str(), "w", stderr)) return "no file";
    std::setvbuf(stderr, nullptr, _IONBF, 0);
    std::signal(SIGABRT, SIG_DFL);  // not Qt Test's
    runOnce<Kernel>();
    return "ended well";
  });
  std::stringstream said;
  said << std::ifstream(path).rdbuf();
  return ended + "; " + said.str();
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

/// The host executor finds what would go wrong on a GPU.
class ExecutorTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void threadsMeetAtABarrier() {
    const Row found = runOnce<PassOn<true>>();
    for (int i = 0; i < kThreadsOfTest; ++i) QCOMPARE(found[static_cast<std::size_t>(i)], static_cast<float>((i + 1) % kThreadsOfTest));
  }
  void aMissingBarrierShowsAsWrongNumbers() {
    const Row found = runOnce<PassOn<false>>();
    QVERIFY(std::ranges::any_of(found, [](float value) { return std::isnan(value); }));
  }
  void sharedMemoryStartsPoisoned() {
    for (const float value : runOnce<ReadsSharedUnwritten>()) QVERIFY(std::isnan(value));
  }
  void aBarrierThatNotAllReachIsTold() {
    const std::string said = lastWords<BarrierOfSome>();
    QVERIFY2(contains(said, "kernel \"barrier of some\"") && contains(said, "threads wait at sync()"), said.c_str());
  }
  void lanesThatDisagreeAreTold() {
    const std::string said = lastWords<LanesDisagree>();
    QVERIFY2(contains(said, "lanes of one warp ask for different exchanges"), said.c_str());
  }
  void aCopyThatNobodyWaitsForIsTold() {
    const std::string said = lastWords<CopyNotAwaited>();
    QVERIFY2(contains(said, "never waited for"), said.c_str());
  }
};
SWITCHYARD_TEST(ExecutorTest)
#include "executor_test.moc"
