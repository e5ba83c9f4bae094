#include "core/formats/checkpoint.h"

#include <nlohmann/json.hpp>

#include "core/formats/checkpoint_files.h"
#include "tests/support/child_process.h"
#include "tests/support/register.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

void compare(const std::vector<TrainingState::Named>& a, const std::vector<TrainingState::Named>& b) {
  QCOMPARE(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    QCOMPARE(a[i].name, b[i].name);
    QVERIFY(a[i].tensor.shape() == b[i].tensor.shape());
    const auto x = a[i].tensor.span<float>(), y = b[i].tensor.span<float>();
    QVERIFY(std::equal(x.begin(), x.end(), y.begin(), y.end()));
  }
}

}  // namespace

class CheckpointTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void whatWasSavedComesBackEqual() {
    const TemporaryFolder folder;
    const Checkpoint saved = smallCheckpoint();
    const std::int64_t bytes = saveCheckpoint(folder / "step-300", saved);
    std::int64_t onDisk = 0;
    for (const auto& entry : fs::directory_iterator(folder / "step-300"))
      onDisk += static_cast<std::int64_t>(entry.file_size());
    QCOMPARE(bytes, onDisk);
    const Checkpoint loaded = loadCheckpoint(folder / "step-300");
    QVERIFY(loaded.config == saved.config);
    QCOMPARE(loaded.run, saved.run);
    QCOMPARE(loaded.state.step, saved.state.step);
    compare(loaded.state.parameters, saved.state.parameters);
    compare(loaded.state.optimizerM, saved.state.optimizerM);
    compare(loaded.state.optimizerV, saved.state.optimizerV);
    compare(loaded.state.selectionBias, saved.state.selectionBias);
    QCOMPARE(loaded.tokenizer->encode("the cat"), saved.tokenizer->encode("the cat"));
  }
  void aStateIsReadOneByOneThoughItsFolderHasGone() {
    using Part = StateSource::Part;
    const TemporaryFolder folder;
    const Checkpoint saved = smallCheckpoint();
    saveCheckpoint(folder / "step-300", saved);
    const Checkpoint opened = openToResume(folder.path());
    fs::remove_all(folder / "step-300");
    QVERIFY(opened.state.parameters.empty());
    QCOMPARE(opened.stored->step(), saved.state.step);
    for (const auto& [part, list] : {std::pair(Part::parameters, &saved.state.parameters),
                                     {Part::firstMoments, &saved.state.optimizerM},
                                     {Part::secondMoments, &saved.state.optimizerV},
                                     {Part::selectionBias, &saved.state.selectionBias}}) {
      std::vector<TrainingState::Named> read;
      for (const StateSource::Entry& entry : opened.stored->entries(part)) {
        TrainingState::Named& named = read.emplace_back(entry.name, hostTensor(entry.shape, entry.dtype));
        opened.stored->read(part, read.size() - 1, [&](const TensorView& view) {
          std::ranges::copy(view.span<float>(), named.tensor.span<float>().begin());
        });
      }
      compare(read, *list);
    }
  }
  void anAlteredMomentIsFoundBeforeAnythingIsRead() {
    const TemporaryFolder folder;
    saveCheckpoint(folder / "step-300", smallCheckpoint());
    std::string bytes = readText(folder / "step-300/optimizer.safetensors");
    bytes.back() ^= 1;
    writeText(folder / "step-300/optimizer.safetensors", bytes);
    const std::string said = sentenceOf([&] { openToResume(folder.path()); });
    QVERIFY2(said.find("optimizer.safetensors: expected checksum") != std::string::npos, said.c_str());
  }
  void theWeightsAloneAreReadOneByOneAndTheOptimizersFileIsNotTouched() {
    const TemporaryFolder folder;
    const Checkpoint saved = smallCheckpoint();
    saveCheckpoint(folder / "step-300", saved);
    writeText(folder / "step-300/optimizer.safetensors", "not read");
    const CheckpointFile file = openCheckpoint(folder.path());
    QCOMPARE(file.folder, folder / "step-300");
    QVERIFY(file.about.config == saved.config);
    QCOMPARE(file.about.state.step, saved.state.step);
    QVERIFY(file.about.state.parameters.empty());
    QCOMPARE(file.selectionBias, std::vector<std::string>{"layers.1.router.selection_bias"});
    QVERIFY(file.weights.find("a norm")->shape == Shape({3}));
    const Checkpoint weights = loadWeights(folder.path());
    compare(weights.state.parameters, saved.state.parameters);
    compare(weights.state.selectionBias, saved.state.selectionBias);
    QVERIFY(weights.state.optimizerM.empty());
  }
  void aLongWindowOfManyExpertsIsReadBack() {
    const TemporaryFolder folder;
    Checkpoint checkpoint = smallCheckpoint();
    // 2,500 steps of 8 layers of 512 experts: 74 MB as text, which is more than is read of it.
    for (int step = 1; step <= 2500; ++step) {
      StepLoads& loads = checkpoint.watch.loads.emplace_back();
      loads.step = step;
      for (int layer = 0; layer < 8; ++layer)
        loads.layers.push_back({layer, 4096, std::vector<float>(512, 1.0f / static_cast<float>(step))});
    }
    const std::int64_t bytes = saveCheckpoint(folder / "step-300", checkpoint);
    QVERIFY(bytes < 2500 * 8 * 512 * 4 * 11 / 10);
    QVERIFY(loadCheckpoint(folder.path()).watch.loads == checkpoint.watch.loads);
  }
  void whatCouldNotBeReadIsNotKeptAndTheOlderOneStays() {
    const TemporaryFolder folder;
    Checkpoint checkpoint = smallCheckpoint();
    saveCheckpoint(folder / "step-1", checkpoint);
    checkpoint.watch.restarts = -1;
    const std::string said = sentenceOf([&] { saveCheckpoint(folder / "step-1", checkpoint); });
    QVERIFY2(said.find("restarts: expected 0 or more") != std::string::npos, said.c_str());
    QCOMPARE(loadCheckpoint(folder / "step-1").watch.restarts, 0);
    QCOMPARE(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 2);
  }
  void theParentFolderGivesTheLatest() {
    const TemporaryFolder folder;
    Checkpoint checkpoint = smallCheckpoint();
    for (const std::int64_t step : {100, 200, 50}) {
      checkpoint.state.step = step;
      saveCheckpoint(folder / ("step-" + std::to_string(step)), checkpoint);
    }
    QCOMPARE(readText(folder / "latest"), std::string("step-50\n"));
    QCOMPARE(loadCheckpoint(folder.path()).state.step, std::int64_t{50});
    fs::remove(folder / "latest");
    QCOMPARE(loadCheckpoint(folder.path()).state.step, std::int64_t{200});
    writeText(folder / "latest", "../elsewhere");
    QCOMPARE(checkpointAt(folder.path()), folder / "step-200");
  }
  void savingAgainReplacesTheFolder() {
    const TemporaryFolder folder;
    Checkpoint checkpoint = smallCheckpoint();
    saveCheckpoint(folder / "step-1", checkpoint);
    checkpoint.run = 99;
    saveCheckpoint(folder / "step-1", checkpoint);
    QCOMPARE(loadCheckpoint(folder / "step-1").run, RunId{99});
    QCOMPARE(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 2);
  }
  void aFullDiskLeavesTheOldCheckpointAndNoNewOne() {
    const TemporaryFolder folder;
    Checkpoint checkpoint = smallCheckpoint();
    saveCheckpoint(folder / "step-1", checkpoint);
    const std::string said = inChild([&] {
      limitFileSize(300);
      checkpoint.run = 99;
      saveCheckpoint(folder / "step-1", checkpoint);
      return std::string("no error");
    });
    QVERIFY2(said.starts_with("[checkpoint] ") && said.find("write byte") != std::string::npos, said.c_str());
    QCOMPARE(loadCheckpoint(folder / "step-1").run, RunId{12});
    QCOMPARE(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 2);
  }
  void anAlteredOrMissingFileIsNamed() {
    for (const char* name : kCheckedFiles) {
      const TemporaryFolder folder;
      saveCheckpoint(folder / "step-1", smallCheckpoint());
      const fs::path file = folder / "step-1" / name;
      std::string bytes = readText(file);
      bytes[bytes.size() / 2] ^= 1;
      writeText(file, bytes);
      std::string said = sentenceOf([&] { loadCheckpoint(folder / "step-1"); });
      QVERIFY2(said.starts_with("[checkpoint] " + file.string()) &&
                   said.find("altered after it was saved") != std::string::npos,
               said.c_str());
      bytes.pop_back();
      writeText(file, bytes);
      said = sentenceOf([&] { loadCheckpoint(folder / "step-1"); });
      QVERIFY2(said.find(file.string() + ": expected the ") != std::string::npos, said.c_str());
      fs::remove(file);
      said = sentenceOf([&] { loadCheckpoint(folder / "step-1"); });
      QVERIFY2(said.find(file.string() + ": expected this file, found none") != std::string::npos, said.c_str());
    }
  }
  void anAlteredStateIsFoundOutByItsOwnChecksum() {
    const TemporaryFolder folder;
    saveCheckpoint(folder / "step-1", smallCheckpoint());
    const fs::path file = folder / "step-1/state.json";
    nlohmann::json json = nlohmann::json::parse(readText(file));
    json["step"] = 301;
    writeText(file, json.dump());
    const std::string said = sentenceOf([&] { loadCheckpoint(folder / "step-1"); });
    QVERIFY2(said.find("state.json: expected checksum") != std::string::npos, said.c_str());
    json["version"] = 2;
    writeText(file, json.dump());
    const std::string newer = sentenceOf([&] { loadCheckpoint(folder / "step-1"); });
    QVERIFY2(newer.find("expected version 1, found 2") != std::string::npos, newer.c_str());
  }
  void aPathWithoutACheckpointSaysWhatWasLookedFor() {
    const TemporaryFolder folder;
    const std::string empty = sentenceOf([&] { loadCheckpoint(folder.path()); });
    QVERIFY2(empty.find("expected a checkpoint (state.json) or step-N folders, found neither") != std::string::npos,
             empty.c_str());
    const std::string absent = sentenceOf([&] { loadCheckpoint(folder / "absent"); });
    QVERIFY2(absent.find("found nothing there") != std::string::npos, absent.c_str());
  }
};
SWITCHYARD_TEST(CheckpointTest)
#include "checkpoint_test.moc"
