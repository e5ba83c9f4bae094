#include <sqlite3.h>
#include <sys/stat.h>

#include "core/base/error.h"
#include "core/store/run_store.h"
#include "tests/support/child_process.h"
#include "tests/support/register.h"
#include "tests/support/stored_points.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<RunStore> openTo(const fs::path& file, RunStore::Access access) { return RunStore::open(file, access); }
constexpr auto kWrite = RunStore::Access::write, kRead = RunStore::Access::readOnly;

std::string refusalOf(const fs::path& file, RunStore::Access access) {
  return sentenceOf([&] { openTo(file, access); });
}

void execute(const fs::path& file, const char* sql) {
  sqlite3* database = nullptr;
  QCOMPARE(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  QCOMPARE(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
}

/// A store with one run of 600 steps.
RunId fill(const fs::path& file) {
  const auto store = openTo(file, kWrite);
  const RunId run = store->createRun({});
  store->append(run, pointsFrom(1, 600));
  return run;
}

#define SAYS(sentence, part) \
  QVERIFY2(sentence.starts_with("[store] ") && sentence.find(part) != std::string::npos, sentence.c_str())

}  // namespace

class StoreFailuresTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aStoreHeldByAnotherProcessIsRefusedByItsNumber() {
    const TemporaryFolder folder;
    const auto held = openTo(folder / "runs.db", kWrite);
    const std::string said = inChild([&] { return refusalOf(folder / "runs.db", kWrite); });
    SAYS(said, "found it held by process " + std::to_string(::getpid()) + " (since 20");
  }
  void theLockIsFreeWhenItsHolderEndsHowever() {
    const TemporaryFolder folder;
    { const auto store = openTo(folder / "runs.db", kWrite); }
    QCOMPARE(refusalOf(folder / "runs.db", kWrite), std::string());
    inChild([&] {
      openTo(folder / "runs.db", kWrite).release();
      return std::string();
    });
    QCOMPARE(refusalOf(folder / "runs.db", kWrite), std::string());
  }
  void othersReadWhileOneWrites() {
    const TemporaryFolder folder;
    const auto writer = openTo(folder / "runs.db", kWrite);
    const RunId run = writer->createRun({});
    writer->append(run, pointsFrom(1, 10));
    const auto reader = openTo(folder / "runs.db", kRead);
    QVERIFY(same(reader->points(run), pointsFrom(1, 10)));
    writer->append(run, pointsFrom(11, 300));
    QVERIFY(same(reader->points(run), pointsFrom(1, 300)));
    const std::string said = sentenceOf([&] { reader->setName(run, "x"); });
    SAYS(said, "found it opened read-only");
  }
  void aStoreOfANewerVersionIsRefusedAndLeftAsItIs() {
    const TemporaryFolder folder;
    fill(folder / "runs.db");
    execute(folder / "runs.db", "PRAGMA user_version = 99");
    const std::string before = readText(folder / "runs.db");
    for (const auto access : {kWrite, kRead}) {
      const std::string said = refusalOf(folder / "runs.db", access);
      SAYS(said, "found version 99; open it with the newer program");
    }
    QCOMPARE(readText(folder / "runs.db"), before);
  }
  void theDatabaseOfAnotherProgramIsRefused() {
    const TemporaryFolder folder;
    execute(folder / "runs.db", "CREATE TABLE songs(title TEXT)");
    const std::string said = refusalOf(folder / "runs.db", kWrite);
    SAYS(said, "found the database of another program");
  }
  void aDamagedFileIsRefused() {
    const TemporaryFolder folder;
    writeText(folder / "text.db", std::string(5000, 'x'));
    const std::string text = refusalOf(folder / "text.db", kWrite);
    SAYS(text, "found a damaged file or one of another kind");
    fill(folder / "cut.db");
    fs::resize_file(folder / "cut.db", 8192);
    const std::string cut = sentenceOf([&] {
      const auto store = openTo(folder / "cut.db", kWrite);
      store->points(1);
    });
    SAYS(cut, "found a damaged file or one of another kind");
  }
  void aDamagedBlockIsToldAndNeverRead() {
    const TemporaryFolder folder;
    const RunId run = fill(folder / "runs.db");
    execute(folder / "runs.db",
            "UPDATE layer_blocks SET metrics = x'00112233' WHERE first_step = 257; UPDATE layer_blocks SET experts = 1 "
            "<< 40 WHERE first_step = 1");
    const auto store = openTo(folder / "runs.db", kWrite);
    for (const std::int64_t after : {0, 256}) {
      const std::string said = sentenceOf([&] { store->points(run, after, after + 10); });
      SAYS(said, "found damaged ones");
    }
    const std::string said = sentenceOf([&] { store->loads(run, 0, INT64_MAX, 10); });
    SAYS(said, "found damaged ones");
  }
  void nothingThereIsNoStoreToReadFrom() {
    const TemporaryFolder folder;
    const std::string absent = refusalOf(folder / "absent.db", kRead);
    SAYS(absent, "found nothing there");
    writeText(folder / "empty.db", "");
    const std::string empty = refusalOf(folder / "empty.db", kRead);
    SAYS(empty, "found an empty file");
  }
  void aFolderThatMayNotBeWrittenIsRefusedForWritingAndReadWithoutASideFile() {
    const TemporaryFolder folder;
    fs::create_directories(folder / "store");
    const RunId run = fill(folder / "store/runs.db");
    fs::remove(folder / "store/runs.db.lock");
    ::chmod(folder.path().c_str(), 0755);
    ::chmod((folder / "store").c_str(), 0555);
    ::chmod((folder / "store/runs.db").c_str(), 0444);
    // Root may write everywhere: the child becomes nobody.
    const auto asNobody = [](auto call) {
      return inChild([&]() -> std::string {
        if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return "cannot become nobody";
        return call();
      });
    };
    const std::string written = asNobody([&] { return refusalOf(folder / "store/runs.db", kWrite); });
    const std::string made = asNobody([&] { return refusalOf(folder / "store/new/runs.db", kWrite); });
    const std::string read =
        asNobody([&] { return std::to_string(openTo(folder / "store/runs.db", kRead)->points(run).size()); });
    ::chmod((folder / "store").c_str(), 0755);
    SAYS(written, "expected a folder that may be written, found: Permission denied");
    SAYS(made, "expected a folder that can be made, found: Permission denied");
    QCOMPARE(read, std::string("600"));
  }
  void aFullDiskIsToldAndWhatWasRecordedStays() {
    const TemporaryFolder folder;
    const RunId run = fill(folder / "runs.db");
    const std::string said = inChild([&]() -> std::string {
      const auto store = openTo(folder / "runs.db", kWrite);
      limitFileSize(400'000);  // of the write-ahead log too
      std::int64_t step = 601;
      const std::string sentence = sentenceOf([&] {
        for (; step < 100'000; step += 50) store->append(run, pointsFrom(step, step + 49));
      });
      // The store is still of use: all whole appends can be read.
      return std::to_string(step - 1) + " " + std::to_string(store->points(run).back().step) + " " + sentence;
    });
    const QStringList words = QString::fromStdString(said).split(' ');
    QVERIFY2(words.size() > 2 && words[0] == words[1] && words[0].toInt() >= 600, said.c_str());
    QVERIFY2(said.find("expected room to record, found the ") != std::string::npos, said.c_str());
    const auto store = openTo(folder / "runs.db", kWrite);
    QVERIFY(same(store->points(run), pointsFrom(1, words[0].toInt())));
  }
  void aKillAtAnyMomentLeavesAStoreThatOpensWithEveryFinishedAppend() {
    for (const int moment : {1, 90, 255, 256, 300, 520}) {
      const TemporaryFolder folder;
      int pipe[2];
      QCOMPARE(::pipe(pipe), 0);
      const pid_t child = ::fork();
      if (child == 0) {
        const auto store = openTo(folder / "runs.db", kWrite);
        const RunId run = store->createRun({});
        for (std::int64_t step = 1;; ++step) {
          store->append(run, pointsFrom(step, step));
          if (::write(pipe[1], "x", 1) != 1) ::_exit(1);
        }
      }
      ::close(pipe[1]);
      char byte;
      int finished = 0;
      while (finished < moment && ::read(pipe[0], &byte, 1) == 1) ++finished;
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      while (::read(pipe[0], &byte, 1) == 1) ++finished;
      ::close(pipe[0]);
      const auto store = openTo(folder / "runs.db", kWrite);
      const std::int64_t steps = store->run(1).steps;
      QVERIFY2(steps >= finished && steps <= finished + 1, std::to_string(steps).c_str());
      QVERIFY(same(store->points(1), pointsFrom(1, steps)));
      store->append(1, pointsFrom(steps + 1, 800));
      QVERIFY(same(store->points(1), pointsFrom(1, 800)));
    }
  }
};
SWITCHYARD_TEST(StoreFailuresTest)
#include "store_failures_test.moc"
