#include "core/session/store_thread.h"

#include <atomic>

#include "core/base/error.h"
#include "core/session/stored_runs.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

class StoreThreadTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void workIsDoneInTheOrderItWasPosted() {
    const TemporaryFolder folder;
    StoreThread store(folder.path() / "runs.db");
    std::vector<int> order;
    for (int i = 0; i < 20; ++i) store.post([&order, i](RunStore&) { order.push_back(i); });
    store.finish();
    QCOMPARE(order.size(), std::size_t{20});
    QVERIFY(std::is_sorted(order.begin(), order.end()));
    QVERIFY(store.problem().empty());
  }
  void aFailureComesBackAsItsSentenceAndTheNextWorkStillRuns() {
    const TemporaryFolder folder;
    StoreThread store(folder.path() / "runs.db");
    std::string sentence;
    bool next = false;
    store.post([](RunStore&) { throw Error("store", "no such run"); },
               [&](const std::string& said) { sentence = said; });
    store.post([&](RunStore&) { next = true; });
    store.finish();
    QCOMPARE(sentence, std::string("[store] no such run"));
    QVERIFY(next);
  }
  void closingDoesEverythingThatWasPosted() {
    const TemporaryFolder folder;
    {
      StoreThread store(folder.path() / "runs.db");
      for (int i = 0; i < 10; ++i) store.post([i](RunStore& s) { s.createRun({.name = std::to_string(i)}); });
    }
    const auto store = RunStore::open(folder.path() / "runs.db", RunStore::Access::readOnly);
    QCOMPARE(store->runs().size(), std::size_t{10});
  }
  void aStoreThatAnotherHoldsIsReadAndTheProblemSaysWho() {
    const TemporaryFolder folder;
    const auto holder = RunStore::open(folder.path() / "runs.db", RunStore::Access::write);
    holder->createRun({.name = "theirs"});
    StoreThread store(folder.path() / "runs.db");
    std::size_t runs = 0;
    std::string refused;
    store.post([&](RunStore& s) { runs = listRuns(s).size(); });
    store.post([&](RunStore& s) { s.createRun({.name = "mine"}); }, [&](const std::string& said) { refused = said; });
    store.finish();
    QCOMPARE(runs, std::size_t{1});
    QVERIFY(!store.problem().empty());
    QVERIFY(!refused.empty());
  }
  void whereNoStoreCanBeOpenedEveryWorkFailsWithTheReason() {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder.path() / "runs.db");
    StoreThread store(folder.path() / "runs.db");
    std::string sentence;
    bool ran = false;
    store.post([&](RunStore&) { ran = true; }, [&](const std::string& said) { sentence = said; });
    store.finish();
    QVERIFY(!ran);
    QCOMPARE(sentence, store.problem());
    QVERIFY(!sentence.empty());
  }
  void deletingARunRemovesItsCheckpointFolders() {
    const TemporaryFolder folder;
    const auto store = RunStore::open(folder.path() / "runs.db", RunStore::Access::write);
    const RunId run = store->createRun({.name = "mine"});
    const auto checkpoint = checkpointFolder(store->file(), run) / "step-0";
    std::filesystem::create_directories(checkpoint);
    store->recordCheckpoint({.run = run, .step = 0, .path = checkpoint.string(), .healthy = true, .bytes = 12});
    QCOMPARE(listRuns(*store).front().checkpointBytes, std::int64_t{12});
    deleteRun(*store, run);
    QVERIFY(store->runs().empty());
    QVERIFY(!std::filesystem::exists(checkpointFolder(store->file(), run)));
  }
};
SWITCHYARD_TEST(StoreThreadTest)
#include "store_thread_test.moc"
