#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/tile_by_parts.cuh"

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
/// Fragments of whole numbers, whose sums are exact in any order; lane by lane the largest difference of the two ways.
struct TileTwice {
  static constexpr const char* kName = "tile twice";
  float* out;
  void operator()() const {
    const auto two = [](int i) {
      const auto number = [i](int salt) { return static_cast<float>((i * 37 + salt * 101 + lane() * 13) % 17 - 8); };
      return packBf16(number(1), number(2));
    };
    const std::uint32_t a[4] = {two(0), two(1), two(2), two(3)}, b[2] = {two(4), two(5)};
    float c[4] = {1, 2, 3, 4};
    const Float4 parts = multiplyTileByParts({1, 2, 3, 4}, {a[0], a[1], a[2], a[3]}, {b[0], b[1]});
    multiplyTile(c, a, b);
    const float apart =
        std::fabs(c[0] - parts.x) + std::fabs(c[1] - parts.y) + std::fabs(c[2] - parts.z) + std::fabs(c[3] - parts.w);
    out[threadOfBlock()] = c[0] == 1 && c[1] == 2 ? -1 : apart;
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
    for (int i = 0; i < kThreadsOfTest; ++i)
      QCOMPARE(found[static_cast<std::size_t>(i)], static_cast<float>((i + 1) % kThreadsOfTest));
  }
  void aMissingBarrierShowsAsWrongNumbers() {
    const Row found = runOnce<PassOn<false>>();
    QVERIFY(std::ranges::any_of(found, [](float value) { return std::isnan(value); }));
  }
  void sharedMemoryStartsPoisoned() {
    for (const float value : runOnce<ReadsSharedUnwritten>()) QVERIFY(std::isnan(value));
  }
  void aTileByPartsIsTheTile() {
    for (const float apart : runOnce<TileTwice>()) QCOMPARE(apart, 0.0f);
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
