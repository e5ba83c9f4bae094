#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "core/session/store_thread.h"
#include "tests/support/register.h"
#include "tests/support/session_listener.h"
#include "tests/support/stored_points.h"

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kFilesOfAStore{"runs.db", "runs.db-wal", "runs.db-shm", "runs.db.lock", "runs.db.sock"};

bool until(const std::function<bool()>& reached) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!reached()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// A store of another program: one run, "theirs".
void makeOther(const fs::path& file) {
  const auto store = RunStore::open(file, RunStore::Access::write);
  store->release(store->createRun({.name = "theirs"}));
}

struct Pull {
  const char* name;
  std::function<void(const fs::path& folder)> pull;
  const char* goesOnIn = "runs.db";                       // the file's name afterwards
  std::function<void(const fs::path& folder)> mend = {};  // what has to happen before it can go on
  bool noticed = true;
};

void removeFiles(const fs::path& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) fs::remove_all(folder / name);
}

void moveFiles(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const std::string& name : kFilesOfAStore)
    if (fs::exists(fs::symlink_status(from / name))) fs::rename(from / name, to / name);
}

std::vector<Pull> pulls() {
  const auto replaceBy = [](std::function<void(const fs::path&)> make) {
    return [make](const fs::path& folder) {
      fs::remove(folder / "runs.db");
      make(folder / "runs.db");
    };
  };
  return {
      {"the file deleted", [](const fs::path& f) { removeFiles(f, {"runs.db"}); }},
      {"all its files deleted", [](const fs::path& f) { removeFiles(f, kFilesOfAStore); }},
      {"the file and its log deleted",
       [](const fs::path& f) {
         removeFiles(f, {"runs.db", "runs.db-wal", "runs.db-shm"});
       }},
      {"the file and its lock deleted",
       [](const fs::path& f) {
         removeFiles(f, {"runs.db", "runs.db.lock"});
       }},
      {"only its socket deleted", [](const fs::path& f) { removeFiles(f, {"runs.db.sock"}); }, "runs.db", {}, false},
      {"the file moved away", [](const fs::path& f) { fs::rename(f / "runs.db", f / "old.db"); }},
      {"all its files moved away", [](const fs::path& f) { moveFiles(f, f / "elsewhere"); }},
      {"moved away and back at once",
       [](const fs::path& f) { fs::rename(f / "runs.db", f / "old.db"), fs::rename(f / "old.db", f / "runs.db"); },
       "runs.db",
       {},
       false},
      {"another store moved over it",
       [](const fs::path& f) { makeOther(f / "other.db"), fs::rename(f / "other.db", f / "runs.db"); }, "runs-2.db"},
      {"all deleted and another store moved there",
       [](const fs::path& f) {
         makeOther(f / "other.db"), removeFiles(f, kFilesOfAStore), fs::rename(f / "other.db", f / "runs.db");
       },
       "runs-2.db"},
      {"another moved over it where the next name is taken too",
       [](const fs::path& f) {
         makeOther(f / "other.db"), fs::rename(f / "other.db", f / "runs.db"), writeText(f / "runs-2.db", "mine");
       },
       "runs-3.db"},
      {"a copy of it in its place",
       [](const fs::path& f) { fs::copy_file(f / "runs.db", f / "copy.db"), fs::rename(f / "copy.db", f / "runs.db"); },
       "runs-2.db"},
      {"an empty file in its place", replaceBy([](const fs::path& p) { writeText(p, ""); }), "runs-2.db"},
      {"a text in its place", replaceBy([](const fs::path& p) { writeText(p, "a diary"); }), "runs-2.db"},
      {"a folder in its place", replaceBy([](const fs::path& p) { fs::create_directory(p); }), "runs-2.db"},
      {"a link to nothing in its place", replaceBy([](const fs::path& p) { fs::create_symlink("nowhere", p); }),
       "runs-2.db"},
      {"a pipe in its place", replaceBy([](const fs::path& p) { ::mkfifo(p.c_str(), 0600); }), "runs-2.db"},
      {"the folder deleted", [](const fs::path& f) { fs::remove_all(f); }},
      {"the folder moved away", [](const fs::path& f) { fs::rename(f, f.string() + "-old"); }},
      {"the folder moved away and an empty one there",
       [](const fs::path& f) { fs::rename(f, f.string() + "-old"), fs::create_directory(f); }},
      {"a file in the place of its folder, for a while",
       [](const fs::path& f) { fs::remove_all(f), writeText(f, "in the way"); }, "runs.db",
       [](const fs::path& f) { fs::remove(f); }},
      {"the disk away for a while",
       [](const fs::path& f) { fs::rename(f, f.string() + "-old"), fs::create_symlink("/proc/no-such-place", f); },
       "runs.db", [](const fs::path& f) { fs::remove(f); }},
  };
}

}  // namespace

class LostStoreTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aStorePulledAwayIsWrittenAnewAndNoRowIsLost_data() {
    QTest::addColumn<int>("index");
    int index = 0;
    for (const Pull& pull : pulls()) QTest::newRow(pull.name) << index++;
    QVERIFY(index >= 20);
  }
  void aStorePulledAwayIsWrittenAnewAndNoRowIsLost() {
    QFETCH(int, index);
    const Pull pull = pulls()[static_cast<std::size_t>(index)];
    const TemporaryFolder above;
    const fs::path folder = above / "switchyard";
    RunId run = 0;
    std::vector<std::string> refused;
    const auto append = [&](StoreThread& store, std::int64_t from) {
      store.post(
          [&run, from](RunStore& s) {
            for (std::int64_t step = from; step < from + 10; ++step) s.append(run, std::vector{pointAt(step)});
          },
          [&](const std::string& sentence) { refused.push_back(sentence); });
    };
    fs::path goesOnIn;
    {
      StoreThread store(folder / "runs.db");
      store.post([&](RunStore& s) { run = s.createRun({.name = "mine"}); });
      append(store, 1);
      store.finish();
      QCOMPARE(store.openings(), 1u);
      pull.pull(folder);
      append(store, 11);  // before it is noticed
      store.finish();
      if (pull.mend) {
        QVERIFY(until([&] { return !store.problem().empty(); }));
        QVERIFY2(store.problem().find("could not be written anew yet") != std::string::npos, store.problem().c_str());
        append(store, 21);
        store.finish();
        pull.mend(folder);
      } else {
        append(store, 21);
      }
      if (pull.noticed) QVERIFY(until([&] { return store.openings() == 2; }));
      append(store, 31);
      store.finish();
      QVERIFY2(store.problem().empty(), store.problem().c_str());
      QCOMPARE(store.news().empty(), !pull.noticed);
      QCOMPARE(store.openings(), pull.noticed ? 2u : 1u);  // and looked at again without a word
      goesOnIn = store.file();
    }
    QVERIFY2(refused.empty(), refused.empty() ? "" : refused.front().c_str());
    QCOMPARE(goesOnIn, folder / pull.goesOnIn);
    const auto store = RunStore::open(goesOnIn, RunStore::Access::write);
    QCOMPARE(store->points(run).size(), std::size_t{40});
    QCOMPARE(store->run(run).name, std::string("mine"));
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      QVERIFY2(entry.path().extension() != ".partial", entry.path().c_str());
    if (std::string(pull.name).find("another") != std::string::npos) {
      const auto other = RunStore::open(folder / "runs.db", RunStore::Access::write);
      QCOMPARE(other->runs().size(), std::size_t{1});
      QCOMPARE(other->runs().front().name, std::string("theirs"));
    }
  }
  void whatWasPulledAwayJustBeforeTheEndIsKept() {
    const TemporaryFolder folder;
    {
      StoreThread store(folder / "runs.db");
      store.post([](RunStore& s) { s.createRun({.name = "mine"}); });
      store.finish();
      removeFiles(folder.path(), kFilesOfAStore);
    }
    QCOMPARE(RunStore::open(folder / "runs.db", RunStore::Access::readOnly)->runs().size(), std::size_t{1});
  }
  void theNumbersOfRunsWithCheckpointsAreNotGivenAgain() {
    const TemporaryFolder folder;
    fs::create_directories(checkpointFolder(folder / "runs.db", 7));
    fs::create_directories(folder / "runs" / "not a number 9");
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    QCOMPARE(store->createRun({.name = "first"}), RunId{8});
    store->deleteRun(8);
    QCOMPARE(store->createRun({.name = "second"}), RunId{9});
  }
  void aProgramThatSharesAStorePulledAwayRecordsOn() {
    const TemporaryFolder folder;
    StoreThread holder(folder / "runs.db");
    holder.finish();
    StoreThread guest(folder / "runs.db");
    RunId theirs = 0, mine = 0;
    holder.post([&](RunStore& s) { theirs = s.createRun({.name = "the holder's"}); });
    guest.post([&](RunStore& s) { mine = s.createRun({.name = "the guest's"}); });
    holder.finish();
    guest.finish();
    removeFiles(folder.path(), kFilesOfAStore);
    QVERIFY(until([&] { return holder.openings() == 2 && guest.openings() == 2 && guest.problem().empty(); }));
    std::string refused;
    guest.post([&](RunStore& s) { s.append(mine, std::vector{pointAt(1)}); },
               [&](const std::string& sentence) { refused = sentence; });
    guest.finish();
    QVERIFY2(refused.empty(), refused.c_str());
    std::size_t points = 0;
    holder.post([&](RunStore& s) { points = s.points(mine).size(); });
    holder.finish();
    QCOMPARE(points, std::size_t{1});
  }
  void aRunThatBeganWithoutAStoreIsRecordedWhenThereIsOne() {
    const TemporaryFolder folder;
    writeText(folder / "place", "a file where the folder should be");
    const fs::path file = folder / "place" / "runs.db";
    {
      SessionListener listener(file);
      listener.post(command::Start{.config = tinyRun(folder, 100'000)});
      QVERIFY(listener.untilSteps(5));
      QVERIFY(listener.status.run < 0);
      QVERIFY(!listener.status.storeProblem.empty());
      listener.post(command::SaveCheckpoint{.pin = true});
      QVERIFY(listener.until([&] { return !listener.problems.empty(); }));
      QVERIFY2(listener.problems.front().find("expected a recorded run") != std::string::npos,
               listener.problems.front().c_str());
      fs::remove(folder / "place");
      QVERIFY(listener.until([&] { return listener.status.run > 0; }));
      QVERIFY(listener.until([&] { return listener.status.storeProblem.empty(); }));
      QVERIFY(listener.started.back().steps >= 5);
      const std::int64_t step = listener.status.step;
      QVERIFY(listener.untilSteps(step + 5));
    }
    const auto store = RunStore::open(file, RunStore::Access::write);
    const std::vector<RunSummary> runs = store->runs();
    QCOMPARE(runs.size(), std::size_t{1});
    const std::vector<StepPoint> points = store->points(runs.front().id);
    QVERIFY(points.size() >= 10);
    for (std::size_t i = 0; i < points.size(); ++i) QCOMPARE(points[i].step, static_cast<std::int64_t>(i) + 1);
    QVERIFY(!store->checkpoints(runs.front().id).empty());
    QCOMPARE(store->run(runs.front().id).state, RunSummary::State::paused);
  }
  void aRunThatCannotBeOpenedLeavesThePresentOneAsItIs() {
    const TemporaryFolder folder;
    RunId stored = 0;
    {
      SessionListener listener(folder / "runs.db");
      listener.post(command::Start{.config = tinyRun(folder, 6)});
      QVERIFY(listener.untilState(SessionStatus::State::finished));
      stored = listener.status.run;
    }
    const auto holder = RunStore::open(folder / "runs.db", RunStore::Access::write);  // of a program that shares it not
    SessionListener listener(folder / "runs.db");
    listener.post(command::Start{.config = tinyRun(folder, 100'000)});
    QVERIFY(listener.untilSteps(3));
    const RunId present = listener.status.run;
    QVERIFY(present < 0);
    listener.post(command::Open{.run = stored, .paused = false});
    QVERIFY(listener.until([&] { return !listener.problems.empty(); }));
    const std::int64_t step = listener.status.step;
    QVERIFY(listener.untilSteps(step + 3));
    QCOMPARE(listener.status.run, present);
    QVERIFY(listener.status.state == SessionStatus::State::training);
  }
};
SWITCHYARD_TEST(LostStoreTest)
#include "lost_store_test.moc"
