#include "core/backend/modules.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <new>

#include "core/backend/backend.h"
#include "core/backend/registry.h"
#include "core/base/error.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

namespace {

std::filesystem::path folderOf(const char* module) {
  return std::filesystem::path(SWITCHYARD_BINARY_DIR) / "tests" / "modules" / module;
}

void contains(const std::string& sentence, std::initializer_list<const char*> parts) {
  for (const char* part : parts) QVERIFY2(sentence.find(part) != std::string::npos, sentence.c_str());
}

/// A backend that cannot be opened: its sentence has all of this.
void refuses(const std::filesystem::path& folder, const std::string& name, std::initializer_list<const char*> parts) {
  Modules modules({folder});
  const Modules::Opened& opened = modules.open(name);
  QVERIFY(!opened.module);
  contains(opened.problem, parts);
}

}  // namespace

class ModulesTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aModuleIsFoundByItsFileNameAndComputes() {
    Modules modules({"/nowhere", folderOf("abacus")});
    QCOMPARE(modules.names(), std::vector<std::string>{"abacus"});
    const Modules::Opened& opened = modules.open("abacus");
    QVERIFY2(opened.module, opened.problem.c_str());
    QCOMPARE(std::string(opened.module->label), std::string("Test device (abacus)"));
    QCOMPARE(opened.module->devices().devices.size(), std::size_t{1});
    QCOMPARE(&modules.open("abacus"), &opened);

    const auto backend = opened.module->make({.name = "abacus", .threads = 1, .computeType = DType::f64});
    QCOMPARE(backend->name(), std::string("abacus"));
    Tensor y = backend->allocate({1, 2}, DType::f64);
    backend->linear(y, numbers({1, 2}, {1, 2}), numbers({2, 2}, {1, 0, 3, 4}), {}, false);
    QCOMPARE(valuesOf(y), (std::vector<double>{1, 11}));
  }
  void whatAModuleThrowsIsCaughtAsWhatItIs() {
    Modules modules({folderOf("abacus")});
    const BackendModule* module = modules.open("abacus").module;
    QVERIFY(module);
    try {
      module->make({.name = "abacus", .threads = 1001, .computeType = DType::f32});
      QFAIL("nothing was thrown");
    } catch (const Error& error) {
      QCOMPARE(error.tag(), std::string("backend"));
      contains(error.what(), {"on fire"});
    }
    QVERIFY_THROWS_EXCEPTION(std::bad_alloc,
                             module->make({.name = "abacus", .threads = 1002, .computeType = DType::f32}));
  }
  void aMissingModuleSaysWhereItWasLookedForAndHowToBuildIt() {
    Modules modules({"/nowhere", "/elsewhere"});
    contains(modules.open("cuda").problem,
             {"libswitchyard_cuda.so", "/nowhere or /elsewhere", "scripts/build cuda", "SWITCHYARD_MODULES"});
    QVERIFY(modules.names().empty());
  }
  void aFileThatIsNoLibrarySaysSo() {
    QTemporaryDir folder;
    QFile file(folder.filePath("libswitchyard_junk.so"));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(QByteArray(4096, 'x'));
    file.close();
    refuses(folder.path().toStdString(), "junk",
            {"libswitchyard_junk.so: expected a library", "invalid ELF header", "build it again"});
  }
  void aLibraryThatIsNoModuleSaysSo() {
    refuses(folderOf("stranger"), "stranger",
            {"libswitchyard_stranger.so: expected a backend", "without switchyardBackendModule"});
  }
  void aModuleOfAnotherBuildSaysWhatWasExpectedAndFound() {
    Modules modules({folderOf("abacus")});
    const BackendModule* good = modules.open("abacus").module;
    QVERIFY(good);
    refuses(folderOf("stale"), "stale",
            {"interface", good->interface, "found one for 0123456789abcdef", "scripts/build stale"});
  }
  void aModuleThatMissesALibraryNamesIt() {
    refuses(folderOf("lonely"), "lonely", {"libswitchyard_lonely.so", "libtest_absent.so", "install what it names"});
  }
  void aModuleUnderAnotherNameSaysSo() {
    QTemporaryDir folder;
    QVERIFY(QFile::copy(QString::fromStdString((folderOf("abacus") / "libswitchyard_abacus.so").string()),
                        folder.filePath("libswitchyard_bead.so")));
    refuses(folder.path().toStdString(), "bead", {"named after", "found abacus", "libswitchyard_abacus.so"});
  }
  void aBadFileDoesNotHideAGoodOneInTheNextFolder() {
    QTemporaryDir folder;
    QFile file(folder.filePath("libswitchyard_abacus.so"));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.close();
    Modules modules({folder.path().toStdString(), folderOf("abacus")});
    QVERIFY(modules.open("abacus").module);
  }
  void theFoldersAreTheEnvironmentsThenTheProgramsOwn() {
    const QByteArray before = qgetenv("SWITCHYARD_MODULES");
    qputenv("SWITCHYARD_MODULES", "/a/b/../c::/d");
    const std::vector<std::filesystem::path> folders = moduleFolders();
    before.isNull() ? qunsetenv("SWITCHYARD_MODULES") : qputenv("SWITCHYARD_MODULES", before);
    QCOMPARE(folders.size(), std::size_t{3});
    QCOMPARE(folders[0].string(), std::string("/a/c"));
    QCOMPARE(folders[1].string(), std::string("/d"));
    QCOMPARE(folders[2].string(), QCoreApplication::applicationDirPath().toStdString());
  }
};
SWITCHYARD_TEST(ModulesTest)
#include "modules_test.moc"
