#include "core/session/run_in_training.h"
#include "tests/support/far_backend.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace moe;
namespace fs = std::filesystem;

namespace {

RunConfig watched() {
  RunConfig config = test::tinyConfig();
  config.train.steps = 14;
  config.train.validateEvery = 4;
  config.train.checkpointEvery = 5;
  for (LayerConfig& layer : config.model.layers) layer.recipe.adjust.selectionBias.emplace();
  return config;
}

/// A run to its end on one backend.
struct Played {
  test::TemporaryFolder folder;
  std::vector<StepPoint> points;
  std::vector<std::int64_t> studies;  // the steps they were made at
  int ahead = 0;                      // steps that left another one on its way
  Played(Backend& backend, const RunConfig& config) {
    StoreThread store(folder.path() / "runs.db");
    Recorder recorder(&store);
    RunInTraining run(recorder.create(summaryOf({config, test::tinyCorpus(), nullptr, {}})), folder.path() / "run",
                      {config, test::tinyCorpus(), nullptr, {}}, backend, recorder);
    run.begin(run.eventOf(RunEvent::Kind::started));
    while (!run.finished()) {
      RunInTraining::Step step = run.step(true);
      for (const auto& study : step.studies) studies.push_back(study->step);
      points.push_back(std::move(step.point));
      ahead += run.inFlight();
    }
    recorder.finish();
  }
};

}  // namespace

/// A run in training on a device that works on by itself.
class FarDeviceTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aRunThatIsAskedForAheadLeavesTheSameBehind() {
    ReferenceBackend reference;
    test::FarBackend far;
    const Played near(reference, watched()), away(far, watched());
    QCOMPARE(near.ahead, 0);
    QCOMPARE(away.ahead, 14 - 1 - 3 - 2);  // but where the step before is validated (4, 8, 12) or saved (5, 10)
    QCOMPARE(away.studies, near.studies);
    QCOMPARE(away.points.size(), near.points.size());
    for (std::size_t i = 0; i < near.points.size(); ++i) {
      QCOMPARE(away.points[i].step, near.points[i].step);
      QCOMPARE(away.points[i].loss, near.points[i].loss);
      QCOMPARE(away.points[i].validationLoss, near.points[i].validationLoss);
      QCOMPARE(away.points[i].layers[1].load, near.points[i].layers[1].load);
    }
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(near.folder / "run")) {
      if (entry.path().extension() != ".safetensors") continue;
      const fs::path below = fs::relative(entry.path(), near.folder.path());
      QVERIFY2(test::readText(away.folder.path() / below) == test::readText(entry.path()), below.c_str());
      ++files;
    }
    QVERIFY(files >= 4);
  }
};
SWITCHYARD_TEST(FarDeviceTest)
#include "far_device_test.moc"
