#include <QProcess>
#include <csignal>

#include "core/store/run_store.h"
#include "tests/support/command_line.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

using namespace moe;

/// The window's program from outside: started, asked, ended.
class ProgramTest : public QObject {
  Q_OBJECT
  static QString program() { return SWITCHYARD_BINARY_DIR "/app/switchyard"; }
  /// Nothing of this desktop's: no display, and a home of its own.
  static QProcessEnvironment bare(const test::TemporaryFolder& home) {
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}) environment.remove(name);
    for (const char* name : {"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"})
      environment.insert(name, QString::fromStdString(home.path().string()));
    return environment;
  }

 private Q_SLOTS:
  void helpAndVersionNeedNoDisplay() {
    const test::TemporaryFolder home;
    for (const char* option : {"--help", "--version"}) {
      QProcess process;
      process.setProcessEnvironment(bare(home));
      process.start(program(), {option});
      QVERIFY(process.waitForFinished(60'000));
      QCOMPARE(process.exitStatus(), QProcess::NormalExit);
      QCOMPARE(process.exitCode(), 0);
      QVERIFY(process.readAllStandardOutput().contains("witchyard"));
    }
  }
  void withoutADisplayItSaysWhatToDo() {
    const test::TemporaryFolder home;
    QProcess process;
    process.setProcessEnvironment(bare(home));
    process.start(program(), QStringList());
    QVERIFY(process.waitForFinished(60'000));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 1);
    const QByteArray said = process.readAllStandardError();
    QVERIFY2(said.contains("switchyard-cli") && said.contains("--screenshot"), said.constData());
  }
  void askedToEndItSavesAsQuitDoes_data() {
    QTest::addColumn<int>("signal");
    QTest::newRow("kill") << SIGTERM;
    QTest::newRow("the session closed") << SIGHUP;
  }
  void askedToEndItSavesAsQuitDoes() {
    QFETCH(int, signal);
    const test::TemporaryFolder home;
    const std::filesystem::path store = home / "switchyard" / "runs.db";
    QProcess process;
    QProcessEnvironment environment = bare(home);
    environment.insert("QT_QPA_PLATFORM", "offscreen");
    process.setProcessEnvironment(environment);
    process.start(program(), QStringList());
    const auto trained = [&] {
      try {
        return RunStore::open(store, RunStore::Access::readOnly)->runs().at(0).steps > 0;
      } catch (const std::exception&) {
        return false;  // not there yet
      }
    };
    QTRY_VERIFY_WITH_TIMEOUT(trained(), 60'000);
    ::kill(static_cast<pid_t>(process.processId()), signal);
    QVERIFY(process.waitForFinished(60'000));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 0);
    const RunSummary run = RunStore::open(store, RunStore::Access::readOnly)->runs().at(0);
    QVERIFY(run.state == RunSummary::State::paused);
    const std::vector<CheckpointRow> saved = RunStore::open(store, RunStore::Access::readOnly)->checkpoints(run.id);
    QVERIFY(std::ranges::any_of(saved, [&](const CheckpointRow& row) { return row.step == run.steps; }));
  }
  void theCommandLineRecordsInTheStoreOfAnOpenWindowAndGoesOnWhenThatCloses() {
    const test::TemporaryFolder home;
    const std::filesystem::path store = home / "switchyard" / "runs.db";
    QProcess window, training;
    QProcessEnvironment environment = bare(home);
    environment.insert("QT_QPA_PLATFORM", "offscreen");
    window.setProcessEnvironment(environment);
    window.start(program(), QStringList());
    const auto steps = [&](std::size_t run) {
      try {
        return RunStore::open(store, RunStore::Access::readOnly)->runs().at(run).steps;
      } catch (const std::exception&) {
        return std::int64_t{0};  // not there yet
      }
    };
    QTRY_VERIFY_WITH_TIMEOUT(steps(0) > 0, 60'000);
    QStringList arguments = test::tinyTraining(home) + QStringList{"--steps", "100000"};
    arguments[arguments.indexOf("--store") + 1] = QString::fromStdString(store.string());
    training.start(test::commandLineProgram(), arguments);
    QTRY_VERIFY_WITH_TIMEOUT(steps(1) > 0, 60'000);
    window.terminate();
    QVERIFY(window.waitForFinished(60'000));
    const std::int64_t then = steps(1);
    QTRY_VERIFY_WITH_TIMEOUT(steps(1) > then, 60'000);
    training.terminate();
    QVERIFY(training.waitForFinished(60'000));
    QVERIFY2(training.exitCode() == 0, training.readAllStandardError().constData());
    const auto whole = RunStore::open(store, RunStore::Access::readOnly);
    for (const RunSummary& run : whole->runs()) {
      QVERIFY(run.state == RunSummary::State::paused);
      QCOMPARE(static_cast<std::int64_t>(whole->points(run.id).size()), run.steps);
      QCOMPARE(whole->checkpoints(run.id).back().step, run.steps);
    }
  }
};
SWITCHYARD_TEST(ProgramTest)
#include "program_test.moc"
