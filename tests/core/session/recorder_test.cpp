#include "core/session/recorder.h"

#include "core/session/run_preparation.h"
#include "tests/support/register.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

class RecorderTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void oneCopyOfATrainingStateIsHeldAtATime() {
    const TemporaryFolder folder;
    StoreThread store(folder / "runs.db");
    Recorder recorder(&store);
    const RunSummary run = recorder.create({});
    std::vector<std::weak_ptr<const Tokenizer>> taken;  // of each copy its own
    for (int step = 1; step <= 6; ++step)
      recorder.save(
          run.id, folder / "run",
          [&] {
            for (const auto& before : taken)
              if (!before.expired()) throw std::runtime_error("two copies are held");
            Checkpoint checkpoint = smallCheckpoint();
            checkpoint.run = run.id;
            checkpoint.state.step = step;
            checkpoint.tokenizer = makeByteTokenizer();
            taken.push_back(checkpoint.tokenizer);
            return checkpoint;
          },
          true, false);
    recorder.finish();
    QCOMPARE(recorder.problem(), std::string());
    QCOMPARE(recorder.takeSaved().size(), std::size_t{6});
  }
  void aCopyThatCannotBeTakenLeavesTheNextOneItsPlace() {
    const TemporaryFolder folder;
    StoreThread store(folder / "runs.db");
    Recorder recorder(&store);
    const RunSummary run = recorder.create({});
    const auto save = [&](const std::function<Checkpoint()>& take) {
      recorder.save(run.id, folder / "run", take, true, false);
    };
    QVERIFY_EXCEPTION_THROWN(save([]() -> Checkpoint { throw std::bad_alloc(); }), std::bad_alloc);
    save([&] {
      Checkpoint checkpoint = smallCheckpoint();
      checkpoint.run = run.id;
      return checkpoint;
    });
    recorder.finish();
    QCOMPARE(recorder.takeSaved().size(), std::size_t{1});
  }
};
SWITCHYARD_TEST(RecorderTest)
#include "recorder_test.moc"
