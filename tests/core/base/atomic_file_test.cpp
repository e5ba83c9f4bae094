#include "core/base/atomic_file.h"

#include <sys/stat.h>

#include <mutex>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "tests/support/child_process.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/write_limit.h"

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

int entriesOf(const fs::path& folder) {
  return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

class AtomicFileTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theNewFileReplacesTheOldOnCommit() {
    const TemporaryFolder folder;
    writeFileAtomically("test", folder / "deep/er/file", "one");
    writeFileAtomically("test", folder / "deep/er/file", "two");
    QCOMPARE(readFile("test", folder / "deep/er/file", 100), std::string("two"));
    QCOMPARE(entriesOf(folder / "deep/er"), 1);
  }
  void withoutCommitTheOldFileStays() {
    const TemporaryFolder folder;
    writeText(folder / "file", "old");
    { AtomicFile(std::string("test"), folder / "file").writer().write("half"); }
    QCOMPARE(readText(folder / "file"), std::string("old"));
    QCOMPARE(entriesOf(folder.path()), 1);
  }
  void aLinkIsFollowedAndAnOlderFilesPermissionsStay() {
    const TemporaryFolder folder;
    writeText(folder / "real", "old");
    fs::permissions(folder / "real", fs::perms::owner_read | fs::perms::owner_write);
    fs::create_symlink("real", folder / "link");
    fs::create_symlink("later", folder / "dangling");
    fs::create_symlink("self", folder / "self");
    writeFileAtomically("test", folder / "link", "new");
    QVERIFY(fs::is_symlink(folder / "link"));
    QCOMPARE(readText(folder / "real"), std::string("new"));
    QVERIFY(fs::status(folder / "real").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    writeFileAtomically("test", folder / "dangling", "there");
    QVERIFY(fs::is_symlink(folder / "dangling"));
    QCOMPARE(readText(folder / "later"), std::string("there"));
    const std::string said = sentenceOf([&] { writeFileAtomically("test", folder / "self", "text"); });
    QVERIFY2(said.find("follow this link") != std::string::npos, said.c_str());
  }
  void aPipeIsWrittenThrough() {
    const TemporaryFolder folder;
    QCOMPARE(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    std::string got;
    std::thread reader([&] { got = readText(folder / "pipe"); });
    writeFileAtomically("test", folder / "pipe", "some text");
    reader.join();
    QCOMPARE(got, std::string("some text"));
    QVERIFY(fs::is_fifo(folder / "pipe"));
    writeFileAtomically("test", "/dev/null", "gone");
    const std::string said = sentenceOf([] { writeFileAtomically("test", "/dev/full", "more than fits"); });
    QVERIFY2(said.find("No space left") != std::string::npos, said.c_str());
  }
  void whatIsNoRegularFileIsNotReadAndNotWaitedFor() {
    const TemporaryFolder folder;
    QCOMPARE(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    const std::string pipe = sentenceOf([&] { readFile("test", folder / "pipe", 100); }),
                      device = sentenceOf([] { readFile("test", "/dev/zero", 100); }),
                      inside = sentenceOf([&] { readFile("test", folder.path(), 100); });
    QVERIFY2(pipe.find("found a named pipe") != std::string::npos, pipe.c_str());
    QVERIFY2(device.find("found a device") != std::string::npos, device.c_str());
    QVERIFY2(inside.find("found a folder") != std::string::npos, inside.c_str());
  }
  void aRefusalNamesTheChosenFileAndNotItsPartial() {
    const TemporaryFolder folder;
    const std::string chosen = (folder / "chosen.csv").string();
    const auto refusalOf = [&](const auto& write) {
      try {
        write();
      } catch (const Error& refused) { return std::string(refused.what()); }
      return std::string();
    };
    std::string full;
    {
      const WriteLimit limit(10);
      full = refusalOf([&] { writeFileAtomically("test", chosen, std::string(100, 'x')); });
    }
    QVERIFY2(full.starts_with("[test] " + chosen + ": expected to write"), full.c_str());
    std::string name(250, 'n');
    name += ".csv";
    const std::string longest = (folder / name).string();
    const std::string refused = refusalOf([&] { writeFileAtomically("test", longest, "text"); });
    QVERIFY2(refused.empty() || refused.starts_with("[test] " + longest + ": expected"), refused.c_str());
  }
  void aShortWriteIsAnErrorAndTheOldFileStays() {
    const TemporaryFolder folder;
    writeText(folder / "file", "old");
    const std::string said = inChild([&] {
      limitFileSize(1000);
      writeFileAtomically("test", folder / "file", std::string(5000, 'x'));
      return std::string("no error");
    });
    QVERIFY2(said.starts_with("[test] ") && said.find("write byte 1000") != std::string::npos, said.c_str());
    QCOMPARE(readText(folder / "file"), std::string("old"));
    QCOMPARE(entriesOf(folder.path()), 1);
  }
  void aFolderAppearsWholeInPlaceOfTheOld() {
    const TemporaryFolder folder;
    writeText(folder / "step-1/old", "old");
    AtomicFolder next("test", folder / "step-1");
    writeText(next.partial() / "new", "new");
    writeText(next.partial() / "sub/newer", "newer");
    QVERIFY(fs::exists(folder / "step-1/old"));
    next.commit();
    QVERIFY(!fs::exists(folder / "step-1/old"));
    QCOMPARE(readText(folder / "step-1/sub/newer"), std::string("newer"));
    QCOMPARE(entriesOf(folder.path()), 1);
  }
  void aFolderNotCommittedLeavesNothing() {
    const TemporaryFolder folder;
    { writeText(AtomicFolder("test", folder / "step-1").partial() / "new", "new"); }
    QVERIFY(!fs::exists(folder / "step-1"));
  }
  void leftoversOfACrashAreSweptAndLivingPartialsAreNot() {
    const TemporaryFolder folder;
    // A child that dies with a partial file and a partial folder open.
    inChild([&]() -> std::string {
      new AtomicFile("test", folder / "file");
      new AtomicFolder("test", folder / "folder");
      return "";
    });
    QCOMPARE(entriesOf(folder.path()), 2);
    const AtomicFolder living("test", folder / "other");
    QCOMPARE(entriesOf(folder.path()), 1);
    sweepPartials(folder.path());
    QVERIFY(fs::exists(living.partial()));
  }
  void threadsThatWriteInOneFolderLeaveEachOthersPartialsAlone() {
    const TemporaryFolder folder;
    std::mutex mutex;
    std::string said;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 60; ++i) {
          const std::string sentence = sentenceOf([&] {
            writeFileAtomically("test", folder / (std::to_string(thread) + "-" + std::to_string(i)), "whole");
          });
          const std::lock_guard<std::mutex> guard(mutex);
          if (!sentence.empty()) said = sentence;
        }
      });
    for (std::thread& thread : threads) thread.join();
    QVERIFY2(said.empty(), said.c_str());
    QCOMPARE(entriesOf(folder.path()), 240);
  }
  void aMissingFileAndALongOneAreRefusedInASentence() {
    const TemporaryFolder folder;
    QVERIFY_EXCEPTION_THROWN(readFile("test", folder / "absent", 10), Error);
    writeText(folder / "long", "12345678901");
    const std::string said = sentenceOf([&] { readFile("test", folder / "long", 10); });
    QVERIFY2(said.find("expected at most 10 bytes, found 11") != std::string::npos, said.c_str());
    QVERIFY_EXCEPTION_THROWN(readFile("test", folder.path(), 10), Error);
  }
  void aFolderThatMayNotBeWrittenIsNamed() {
    const std::string said = sentenceOf([] { writeFileAtomically("test", "/proc/switchyard/file", "x"); });
    QVERIFY2(said.find("/proc/switchyard") != std::string::npos && said.find("make this folder") != std::string::npos,
             said.c_str());
  }
};
SWITCHYARD_TEST(AtomicFileTest)
#include "atomic_file_test.moc"
