#include <QElapsedTimer>
#include <QFile>
#include <QJsonArray>
#include <QRegularExpression>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <random>

#include "core/store/run_store.h"
#include "tests/support/command_line.h"

using namespace moe;
using test::pathIn;
using test::shell;
using test::switchyard;
using test::tinyTraining;
using test::weights;
using test::with;

class TrainTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void onAFullDiskItWaitsAndGoesOnByItselfWhenThereIsRoom() {
    const test::TemporaryFolder folder;
    // A limit of what the process may write, that a checkpoint of 1.5 MB passes and the store does not.
    const QStringList words = QStringList{"ulimit -S -f 1000; exec", test::commandLineProgram()} +
                              tinyTraining(folder) + QStringList{"--steps", "30", "--set", "experts.count=120"};
    QProcess process;
    process.start("/bin/bash", {"-c", words.join(' ')});
    QByteArray output;
    while (!output.contains("Training waits and goes on by itself") && process.waitForReadyRead(60'000))
      output += process.readAllStandardOutput();
    QVERIFY2(output.contains("write byte") && output.contains("Training waits and goes on by itself"),
             output + process.readAllStandardError());
    QCOMPARE(QProcess::execute("prlimit", {"--pid", QString::number(process.processId()), "--fsize=unlimited"}), 0);
    QVERIFY(process.waitForFinished(60'000));
    output += process.readAllStandardOutput();
    QVERIFY2(process.exitStatus() == QProcess::NormalExit && process.exitCode() == 0,
             process.readAllStandardError().constData());
    QVERIFY2(output.contains("There is room again: training goes on."), output.constData());
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::readOnly);
    QVERIFY(store->run(1).state == RunSummary::State::finished);
    QCOMPARE(store->points(1).size(), std::size_t{30});
    for (const char* step : {"step-0", "step-30"})
      QVERIFY2(std::filesystem::exists(folder / "out" / step / "state.json"), step);
  }
  void withoutMemoryItSaysWhatWasAskedPredictedAndFree() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    QSKIP("the sanitizers take more address space than any limit leaves");
#endif
    const test::TemporaryFolder folder;
    const QStringList words = QStringList{"ulimit -v 600000; exec", test::commandLineProgram()} + tinyTraining(folder) +
                              QStringList{"--steps", "2", "--set", "experts.count=9000", "--set", "experts.hidden=200"};
    const auto result = test::shell(words.join(' '));
    QCOMPARE(result.code, 1);
    static const QRegularExpression line(
        "The machine has no memory left for this: .*asked for, the run was predicted to take \\d+\\.\\d GB in all, and "
        "the system says that \\d+\\.\\d GB are free; choose a smaller model");
    QVERIFY2(QString::fromUtf8(result.errors).contains(line), result.errors.constData());
    const auto runs = switchyard({"runs", "list", "--store", pathIn(folder, "runs.db"), "--json"}).lines();
    QCOMPARE(runs.front()["state"].toString(), QStringLiteral("failed"));
  }
  void theClosingLinesNameTenDeadExpertsAndCountTheRest() {
    const test::TemporaryFolder folder;
    const auto result = switchyard(tinyTraining(folder) + QStringList{"--steps", "2", "--set", "experts.count=500"});
    QVERIFY2(result.code == 0, result.errors.constData());
    static const QRegularExpression line("; (\\d+) dead experts:((?: L\\d+ E\\d+)+) and (\\d+) more\\.\n");
    const QRegularExpressionMatch said = line.match(QString::fromUtf8(result.output));
    QVERIFY2(said.hasMatch(), result.output.constData());
    QCOMPARE(said.captured(2).count('E'), 10);
    QCOMPARE(said.captured(3).toInt(), said.captured(1).toInt() - 10);
  }
  void itPrintsALineAStepAndALastOne() {
    const test::TemporaryFolder folder;
    const auto result = switchyard(tinyTraining(folder) + QStringList{"--steps", "7", "--json"});
    QVERIFY2(result.code == 0, result.errors.constData());
    const auto lines = result.lines();
    QCOMPARE(lines.size(), std::size_t{8});
    for (int i = 0; i < 7; ++i) {
      const QJsonObject& line = lines[static_cast<std::size_t>(i)];
      QCOMPARE(line["step"].toInt(), i + 1);
      for (const char* key : {"loss", "aux_loss", "z_loss", "tokens_per_second"}) QVERIFY2(line[key].isDouble(), key);
      QCOMPARE(line.contains("val_loss"), i == 6);
      for (const char* key : {"load", "max_vio", "dropped", "router_entropy"}) QCOMPARE(line[key].toArray().size(), 2);
      for (const QJsonValue& layer : line["load"].toArray()) {
        double sum = 0;
        for (const QJsonValue& share : layer.toArray()) sum += share.toDouble();
        QVERIFY(std::abs(sum - 1) < 1e-6);
      }
      QVERIFY(line["alerts"].isArray());
    }
    const QJsonObject last = lines.back();
    QVERIFY(last["done"].toBool());
    QCOMPARE(last["steps"].toInt(), 7);
    QCOMPARE(last["train_loss"].toDouble(), lines[6]["loss"].toDouble());
    QCOMPARE(last["val_loss"].toDouble(), lines[6]["val_loss"].toDouble());
    QVERIFY(last["run"].toInt() > 0);
    QVERIFY(last["tokens_per_second"].toDouble() > 0);
    QVERIFY(last["dead_experts"].isArray());
    QVERIFY(QFile::exists(last["checkpoint"].toString() + "/state.json"));
    // MaxVio of the counts of all seven steps: every step asks for the same number of assignments.
    for (int layer = 0; layer < 2; ++layer) {
      double counts[4] = {};
      for (int i = 0; i < 7; ++i)
        for (int e = 0; e < 4; ++e)
          counts[e] += lines[static_cast<std::size_t>(i)]["load"].toArray()[layer].toArray()[e].toDouble();
      const double expected = *std::max_element(counts, counts + 4) * 4 / 7 - 1;
      QVERIFY(std::abs(last["max_vio"].toArray()[layer].toDouble() - expected) < 1e-6);
    }
  }
  void withoutATerminalItPrintsPlainLines() {
    const test::TemporaryFolder folder;
    const auto result = switchyard(tinyTraining(folder) + QStringList{"--steps", "12"});
    QCOMPARE(result.code, 0);
    QVERIFY(result.output.contains("step 10 / 12"));
    QVERIFY(result.output.contains("Finished 12 steps"));
    QVERIFY(!result.output.contains('\x1b'));
  }
  void resumedItGoesOnBitByBitToTheSameTarget() {
    const test::TemporaryFolder whole, cut;
    QCOMPARE(switchyard(tinyTraining(whole) + QStringList{"--steps", "12"}).code, 0);
    // The schedule's length is the target: a run stopped halfway must have been told the whole of it.
    QCOMPARE(switchyard(tinyTraining(cut) + QStringList{"--steps", "12", "--checkpoint-every", "5"}).code, 0);
    const std::string kept = weights(cut, "step-12");
    const auto result = switchyard({"train", "--resume", pathIn(cut, "out/step-5"), "--store", pathIn(cut, "runs.db"),
                                    "--out", pathIn(cut, "child/out"), "--json"});
    QVERIFY2(result.code == 0, result.errors.constData());
    QCOMPARE(result.lines().size(), std::size_t{8});
    QCOMPARE(result.lines()[0]["step"].toInt(), 6);
    QVERIFY(!weights(whole, "step-12").empty());
    QVERIFY(weights(whole, "step-12") == test::readText(cut / "child/out/step-12/model.safetensors"));
    QCOMPARE(result.lines().back()["run"].toInt(), 2);  // from an older checkpoint a child goes on
    const auto more = switchyard(
        {"train", "--resume", pathIn(cut, "child/out"), "--store", pathIn(cut, "runs.db"), "--steps", "14", "--json"});
    QCOMPARE(more.lines().back()["steps"].toInt(), 14);
    QCOMPARE(more.lines().back()["run"].toInt(), result.lines().back()["run"].toInt());
  }
  void severalAtOnceRecordInOneStoreAndTheOnesThatEndTakeNothingWithThem() {
    const test::TemporaryFolder folder;
    const auto base = tinyTraining(folder);
    std::vector<std::unique_ptr<QProcess>> processes;
    for (const int steps : {40, 150, 300}) {
      auto& process = processes.emplace_back(std::make_unique<QProcess>());
      process->start(test::commandLineProgram(),
                     with(base, "--out", pathIn(folder, ("out" + std::to_string(steps)).c_str()))
                         << "--steps" << QString::number(steps) << "--json");
    }
    for (const auto& process : processes) {
      QVERIFY(process->waitForFinished(120'000));
      QVERIFY2(process->exitCode() == 0, process->readAllStandardError().constData());
    }
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::readOnly);
    std::vector<std::int64_t> steps;
    for (const RunSummary& run : store->runs()) {
      QVERIFY(run.state == RunSummary::State::finished);
      QCOMPARE(static_cast<std::int64_t>(store->points(run.id).size()), run.steps);
      QCOMPARE(store->checkpoints(run.id).back().step, run.steps);
      steps.push_back(run.steps);
    }
    std::ranges::sort(steps);
    QCOMPARE(steps, (std::vector<std::int64_t>{40, 150, 300}));
  }
  void goingOnFromAnOlderCheckpointLeavesTheRunWhole() {
    const test::TemporaryFolder folder;
    QCOMPARE(switchyard(tinyTraining(folder) + QStringList{"--steps", "30", "--checkpoint-every", "10"}).code, 0);
    {
      const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
      store->setPinned(1, 30, true);
    }
    const auto checkpoints = [&] {
      return RunStore::open(folder / "runs.db", RunStore::Access::readOnly)->checkpoints(1).size();
    };
    const std::size_t before = checkpoints();
    const auto child = switchyard({"train", "--resume", pathIn(folder, "out/step-10"), "--store",
                                   pathIn(folder, "runs.db"), "--steps", "12", "--json"});
    QVERIFY2(child.code == 0, child.errors.constData());
    QCOMPARE(child.lines().back()["run"].toInt(), 2);
    QCOMPARE(checkpoints(), before);
    for (const char* step : {"step-10", "step-20", "step-30"}) QVERIFY(!weights(folder, step).empty());
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::readOnly);
    QCOMPARE(store->run(1).steps, std::int64_t{30});
    QCOMPARE(store->run(2).parent, RunId{1});
    QCOMPARE(store->run(2).parentStep, std::int64_t{10});
    // Nor is its folder another run's.
    const auto over = switchyard({"train", "--resume", pathIn(folder, "out/step-10"), "--store",
                                  pathIn(folder, "runs.db"), "--out", pathIn(folder, "out")});
    QVERIFY(over.code == 1 && over.errors.contains("those of run 1"));
  }
  void textThatMovedIsFoundByItsChecksumAndOtherTextIsRefused() {
    const test::TemporaryFolder folder;
    const auto text = [](int words) {
      std::string all;
      for (int i = 0; i < words; ++i) all += "word " + std::to_string(i * i % 97) + ' ';
      return all;
    };
    test::writeText(folder / "text.txt", text(900));
    QCOMPARE(
        switchyard(with(tinyTraining(folder), "--data", pathIn(folder, "text.txt")) + QStringList{"--steps", "3"}).code,
        0);
    std::filesystem::rename(folder / "text.txt", folder / "moved.txt");
    const auto resume = [&](int steps, const QStringList& more) {
      return switchyard(QStringList{"train", "--resume", pathIn(folder, "out"), "--store", pathIn(folder, "runs.db"),
                                    "--steps", QString::number(steps)} +
                        more);
    };
    const auto gone = resume(4, {});
    QVERIFY2(gone.code == 1 && gone.errors.contains("found nothing there") && gone.errors.contains("--data"),
             gone.errors.constData());
    const auto moved = resume(4, {"--data", pathIn(folder, "moved.txt")});
    QVERIFY2(moved.code == 0, moved.errors.constData());
    test::writeText(folder / "moved.txt", text(901));
    const auto other = resume(5, {});
    QVERIFY2(other.code == 1 && other.errors.contains("checksum") && other.errors.contains("--accept-other-text"),
             other.errors.constData());
    const auto accepted = resume(5, {"--accept-other-text"});
    QVERIFY2(accepted.code == 0, accepted.errors.constData());
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::readOnly);
    QCOMPARE(store->run(1).steps, std::int64_t{5});
    QVERIFY(std::ranges::any_of(store->events(1), [](const RunEvent& event) {
      return event.text.find("The text is another one") != std::string::npos;
    }));
  }
  void textWithoutHeldOutTokensIsRefusedBeforeARunExists() {
    const test::TemporaryFolder folder;
    for (int i = 0; i < 60; ++i)
      test::writeText(folder / ("words/" + std::to_string(i) + ".txt"), "word " + std::to_string(i));
    const auto result =
        switchyard(with(tinyTraining(folder), "--data", pathIn(folder, "words")) + QStringList{"--steps", "3"});
    QCOMPARE(result.code, 1);
    QVERIFY2(result.errors.contains("held-out text"), result.errors.constData());
    const auto dense = switchyard(
        {"train", "--preset", "dense", "--store", pathIn(folder, "runs.db"), "--data", pathIn(folder, "words")});
    QVERIFY2(dense.code == 1 && dense.errors.contains("corpus: expected"), dense.errors.constData());
    QVERIFY(switchyard({"runs", "list", "--store", pathIn(folder, "runs.db"), "--json"}).output.isEmpty());
  }
  void paddingCountsNowhereAsThereIsNone() {
    const test::TemporaryFolder folder;
    for (int i = 0; i < 12; ++i)
      test::writeText(folder / ("poems/" + std::to_string(i) + ".txt"), std::string(400, static_cast<char>('a' + i)));
    QCOMPARE(switchyard(with(tinyTraining(folder), "--data", pathIn(folder, "poems")) +
                        QStringList{"--steps", "3", "--set", "model.context=128"})
                 .code,
             0);
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::readOnly);
    for (const auto& study : store->studies(1)) {
      QCOMPARE(study->domainTokens, std::vector<std::int64_t>(12, 40));
      QCOMPARE(study->tokens, std::int64_t{480});
    }
  }
  void extendingAFinishedCosineSaysWhatTheRateDoesAndMayHoldIt() {
    const test::TemporaryFolder folder;
    QCOMPARE(switchyard(tinyTraining(folder) + QStringList{"--steps", "20", "--set", "train.warmup=2"}).code, 0);
    const auto resume = [&](const QStringList& more) {
      return switchyard(QStringList{"train", "--resume", pathIn(folder, "out"), "--store", pathIn(folder, "runs.db")} +
                        more);
    };
    const auto rates = [&] {
      const auto store = RunStore::open(folder / "runs.db", RunStore::Access::readOnly);
      std::vector<double> all;
      for (const StepPoint& point : store->points(1)) all.push_back(point.learningRate);
      return all;
    };
    const auto stretched = resume({"--steps", "22"});
    QVERIFY2(stretched.code == 0 && stretched.output.contains("The cosine is stretched over 22 steps"),
             stretched.output.constData());
    QVERIFY(rates()[20] > 1.01 * rates()[21]);
    const auto held = resume({"--steps", "24", "--rate", "hold"});
    QVERIFY2(held.code == 0 && !held.output.contains("stretched"), held.output.constData());
    QVERIFY(rates()[22] < rates()[21] && std::abs(rates()[23] - rates()[22]) < 1e-9 * rates()[22]);
  }
  void killedAtRandomMomentsItResumesBitByBit() {
    const test::TemporaryFolder whole;
    const QStringList options{"--steps", "150", "--checkpoint-every", "7"};
    QElapsedTimer timer;
    timer.start();
    QCOMPARE(switchyard(tinyTraining(whole) + options).code, 0);
    const auto span = static_cast<int>(timer.elapsed());
    std::mt19937 random(4);
    for (int moment = 0; moment < 3; ++moment) {
      const test::TemporaryFolder folder;
      QProcess process;
      process.start(test::commandLineProgram(), tinyTraining(folder) + options);
      QVERIFY(process.waitForStarted());
      process.waitForFinished(static_cast<int>(random() % static_cast<unsigned>(span)));
      process.kill();
      process.waitForFinished();
      const bool begun = QFile::exists(pathIn(folder, "out/latest"));
      const auto result =
          begun ? switchyard({"train", "--resume", pathIn(folder, "out"), "--store", pathIn(folder, "runs.db")})
                : switchyard(tinyTraining(folder) + options);
      QVERIFY2(result.code == 0, result.errors.constData());
      QVERIFY(weights(folder, "step-150") == weights(whole, "step-150"));
    }
  }
  void askedToEndItFinishesTheStepAndSavesIt_data() {
    QTest::addColumn<int>("signal");
    QTest::newRow("Ctrl-C") << SIGINT;
    QTest::newRow("kill") << SIGTERM;
    QTest::newRow("the terminal closed") << SIGHUP;
  }
  void askedToEndItFinishesTheStepAndSavesIt() {
    QFETCH(int, signal);
    const test::TemporaryFolder folder;
    QProcess process;
    process.start(test::commandLineProgram(), tinyTraining(folder) + QStringList{"--steps", "1000000", "--json"});
    QVERIFY(process.waitForReadyRead(60'000));
    ::kill(static_cast<pid_t>(process.processId()), signal);
    QVERIFY(process.waitForFinished(60'000));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 0);
    const QByteArray errors = process.readAllStandardError();
    QVERIFY2(errors.contains("--resume"), errors.constData());
    const auto result = switchyard({"inspect", "--checkpoint", pathIn(folder, "out"), "--text", "the yard", "--json"});
    QCOMPARE(result.code, 0);
    const auto runs = switchyard({"runs", "list", "--store", pathIn(folder, "runs.db"), "--json"}).lines();
    QCOMPARE(runs.front()["state"].toString(), QStringLiteral("paused"));
  }
  void askedToEndAmidAValidationItEndsThatAtOnce() {
    const test::TemporaryFolder folder;
    QStringList arguments = tinyTraining(folder);
    std::string text;
    for (int i = 0; i < 8000; ++i) text += "the yard is full of trains. ";
    test::writeText(folder / "yard.txt", text);
    QProcess process;
    process.start(test::commandLineProgram(), arguments + QStringList{"--steps", "1", "--set", "data.held_out=0.5"});
    QVERIFY(process.waitForReadyRead(60'000));  // the headline; after one short step comes a long validation
    ::kill(static_cast<pid_t>(process.processId()), SIGINT);
    QVERIFY(process.waitForFinished(60'000));
    QCOMPARE(process.exitCode(), 0);
    const QByteArray errors = process.readAllStandardError();
    QVERIFY2(errors.contains("--resume"), errors.constData());
    QVERIFY(!process.readAllStandardOutput().contains("validation"));
    // What was not waited for is made up for when the run goes on.
    const auto resumed =
        switchyard({"train", "--resume", pathIn(folder, "out"), "--store", pathIn(folder, "runs.db"), "--json"});
    QCOMPARE(resumed.code, 0);
    QVERIFY(resumed.lines().back()["val_loss"].isDouble());
  }
  void itsComputingThreadsTakeNoSignal() {
    const test::TemporaryFolder folder;
    QProcess process;
    process.start(test::commandLineProgram(), tinyTraining(folder) + QStringList{"--steps", "1000000", "--json"});
    QVERIFY(process.waitForReadyRead(60'000));
    // The main thread computes.
    QFile status(QStringLiteral("/proc/%1/status").arg(process.processId()));
    QVERIFY(status.open(QIODevice::ReadOnly));
    std::uint64_t blocked = 0;
    for (const QByteArray& line : status.readAll().split('\n'))
      if (line.startsWith("SigBlk:")) blocked = line.mid(7).trimmed().toULongLong(nullptr, 16);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGPROF, SIGCHLD, SIGWINCH, SIGRTMIN})
      QVERIFY2(blocked >> (signal - 1) & 1, std::to_string(signal).c_str());
    ::kill(static_cast<pid_t>(process.processId()), SIGKILL);
    process.waitForFinished(60'000);
  }
  void aReaderThatGoesAwayLosesNothing() {
    const test::TemporaryFolder folder;
    const QStringList arguments = tinyTraining(folder) + QStringList{"--steps", "1000000", "--json"};
    const QString command = test::commandLineProgram() + " '" + arguments.join("' '") + '\'';
    const auto result = test::shell(command + " | head -1; exit ${PIPESTATUS[0]}");
    QCOMPARE(result.code, 1);
    QVERIFY2(result.errors.contains("it is saved") && result.errors.contains("standard output"),
             result.errors.constData());
    const auto runs = switchyard({"runs", "list", "--store", pathIn(folder, "runs.db"), "--json"}).lines();
    QCOMPARE(runs.front()["state"].toString(), QStringLiteral("paused"));
  }
  void aLossThatIsNotFiniteFailsWithASentence() {
    const test::TemporaryFolder folder;
    const auto result =
        switchyard(tinyTraining(folder) + QStringList{"--steps", "200", "--set", "train.learning_rate=10", "--set",
                                                      "train.weight_decay=10", "--set", "train.warmup=0", "--set",
                                                      "train.schedule=constant"});
    QCOMPARE(result.code, 1);
    QVERIFY2(result.errors.contains("not a finite number"), result.errors.constData());
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::readOnly);
    QVERIFY(store->run(1).state == RunSummary::State::failed);
    const RunEvent last = store->events(1).back();
    QVERIFY(last.kind == RunEvent::Kind::failed);
    const std::string begins = "Failed after step " + std::to_string(last.step) + ", saved as of step " +
                               std::to_string(last.step) + ": the loss of step ";
    QVERIFY2(last.text.starts_with(begins), last.text.c_str());
  }
  void expertsGrowOutOfADenseRun() {
    const test::TemporaryFolder folder;
    const QString store = pathIn(folder, "runs.db"), dense = pathIn(folder, "out");
    QStringList training =
        tinyTraining(folder) +
        QStringList{"--steps", "6", "--set", "model.dense_layers=all", "--set", "model.dense.hidden=24"};
    QCOMPARE(switchyard(training).code, 0);
    const QStringList grow{"train",
                           "--preset",
                           "upcycling",
                           "--upcycle",
                           dense,
                           "--backend",
                           "reference",
                           "--store",
                           store,
                           "--steps",
                           "4",
                           "--out",
                           pathIn(folder, "grown"),
                           "--json"};
    const auto result = switchyard(grow);
    QVERIFY2(result.code == 0, result.errors.constData());
    QCOMPARE(result.lines().size(), std::size_t{5});
    const QJsonObject run = switchyard({"runs", "show", "2", "--store", store, "--json"}).lines().front();
    QCOMPARE(run["parent"].toInt(), 1);
    QCOMPARE(run["parent_step"].toInt(), 6);
    const QJsonObject config =
        QJsonDocument::fromJson(QByteArray::fromStdString(test::readText(folder / "grown" / "step-0" / "config.json")))
            .object();
    QCOMPARE(config["recipe"].toObject()["experts"].toObject()["hidden"].toInt(), 24);
    QCOMPARE(config["model"].toObject()["width"].toInt(), 16);
    QVERIFY(config["start_from"].toObject()["checkpoint"].toString().endsWith("out/step-6"));
    // It goes on from its own checkpoints, not from the dense ones.
    const auto resumed = switchyard(
        {"train", "--resume", pathIn(folder, "grown"), "--store", store, "--set", "train.steps=5", "--json"});
    QVERIFY2(resumed.code == 0, resumed.errors.constData());
    QCOMPARE(resumed.lines().size(), std::size_t{2});

    const auto narrow = switchyard(QStringList(grow) + QStringList{"--set", "experts.hidden=16"});
    QCOMPARE(narrow.code, 1);
    QVERIFY2(narrow.errors.contains("24 hidden units"), narrow.errors.constData());
    const auto again = switchyard({"train", "--upcycle", pathIn(folder, "grown"), "--store", store});
    QCOMPARE(again.code, 1);
    QVERIFY2(again.errors.contains("experts already"), again.errors.constData());
    QCOMPARE(switchyard({"train", "--upcycle", pathIn(folder, "nowhere"), "--store", store}).code, 1);
  }
};
SWITCHYARD_TEST(TrainTest)
#include "train_test.moc"
