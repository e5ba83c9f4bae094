#include "core/session/run_in_training.h"

#include "core/backend/reference/reference_backend.h"
#include "core/session/work_estimate.h"
#include "tests/support/register.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace moe;

class RunInTrainingTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aValidationThatNobodyWaitsForEndsAndTheStepIsWithoutOne() {
    RunConfig config = test::tinyConfig();
    config.train.steps = 3;
    config.train.validateEvery = 1;
    ReferenceBackend backend;
    Recorder recorder(nullptr);
    const PreparedRun prepared{config, test::tinyCorpus(), nullptr, {}};
    RunInTraining run(recorder.create(summaryOf(prepared)), {}, prepared, backend, recorder);
    std::vector<double> shares;
    run.setProgress([&](const std::string& what, double share) {
      QCOMPARE(what, std::string("validating"));
      shares.push_back(share);
    });
    RunInTraining::Step step = run.step();
    QVERIFY(step.point.validationLoss && !step.validationEnded);
    QVERIFY(shares.size() > 1 && shares.front() == 0 && std::ranges::is_sorted(shares));
    run.setProgress([&](const std::string&, double share) {
      if (share > 0) throw Ended();
    });
    step = run.step();
    QVERIFY(!step.point.validationLoss && step.validationEnded && step.studies.empty());
    QCOMPARE(run.stepsDone(), std::int64_t{2});
    QVERIFY(!run.trainer().study().maxVioGlobal());  // of the part that was seen, nothing is told
    run.setProgress({});
    step = run.step();
    QVERIFY(step.point.validationLoss && !step.studies.empty());
  }
  void slowWorkIsShownWithWhatIsLeftOfIt() {
    using namespace std::chrono_literals;
    WorkEstimate estimate;
    const WorkEstimate::Clock::time_point start{};
    QVERIFY(!estimate.pass("reading", 0, start));
    QVERIFY(!estimate.pass("reading", 0.2, start + 400ms));
    const auto work = estimate.pass("reading", 0.25, start + 1s);
    QVERIFY(work && work->what == "reading");
    QCOMPARE(work->share, 0.25);
    QCOMPARE(work->secondsLeft, 3.0);
    QVERIFY(!estimate.pass("validating", 0, start + 2s));  // other work: from the beginning
    QVERIFY(!estimate.pass("validating", 0.5, start + 2400ms));
    QVERIFY(!estimate.pass("validating", 0, start + 2500ms));                    // the same once more
    QCOMPARE(estimate.pass("validating", 0, start + 3500ms)->secondsLeft, 0.0);  // who knows
  }
  void aRunThatDoesNotFitIsRefusedBeforeItsTensorsAreRead() {
    const test::TemporaryFolder folder;
    Checkpoint checkpoint = test::smallCheckpoint();
    checkpoint.config = test::tinyConfig();
    checkpoint.config.train.batch = 1'000'000;
    checkpoint.config.model.context = 100'000;
    saveCheckpoint(folder / "step-300", checkpoint);
    test::writeText(folder / "step-300/model.safetensors", "would be refused by its checksum");
    const std::string said = test::sentenceOf([&] { openToResume(folder.path(), {}); });
    QVERIFY2(said.starts_with("[memory] this model needs about"), said.c_str());
    // What the present runs give back counts.
    const std::string fits =
        test::sentenceOf([&] { openToResume(folder.path(), {.memoryReturned = std::int64_t{1} << 60}); });
    QVERIFY2(fits.find("checksum") != std::string::npos || fits.find("bytes that were saved") != std::string::npos,
             fits.c_str());
  }
  void aTextThatDoesNotFitIsRefusedBeforeItIsRead() {
    const test::TemporaryFolder folder;
    for (int i = 0; i < 40; ++i) {
      test::writeText(folder / ("text/" + std::to_string(i)), "");
      std::filesystem::resize_file(folder / ("text/" + std::to_string(i)), std::uintmax_t{1} << 42);  // holes alone
    }
    RunConfig config = test::tinyConfig();
    config.data.source = (folder / "text").string();
    const std::string said = test::sentenceOf([&] { prepareRun(config, {}); });
    QVERIFY2(
        said.starts_with("[memory] this text needs about 1803") && said.find("choose less text") != std::string::npos,
        said.c_str());
  }
};
SWITCHYARD_TEST(RunInTrainingTest)
#include "run_in_training_test.moc"
