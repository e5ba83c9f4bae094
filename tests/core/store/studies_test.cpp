#include <sqlite3.h>

#include <cmath>
#include <numeric>

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

RunStudy studyAt(RunId run, std::int64_t step) {
  RunStudy study;
  study.run = run;
  study.step = step;
  study.tokens = 3;
  study.domains = {"first\ntext\x1b[31m", "caf\xe9"};  // names are data: whatever a file may be called
  study.domainTokens = {2, 1};
  for (const int layer : {1, 3}) {
    LayerStudy at;
    at.layer = layer;
    at.experts = 2;
    at.slots = 1;
    at.selections = {0, static_cast<std::int32_t>(step % 2), -1};
    at.listed = {0, 1};
    at.coactivation = {0, 0.5f, 0.25f, 0};
    at.domains = {1, 0, 0.5f, static_cast<float>(step)};
    at.inputSpecialisation = 0.75f;
    at.nextSpecialisation = 0.5f;
    at.predictedSpecialisation = 0.625f;
    at.maxVioGlobal = static_cast<float>(layer);
    study.layers.push_back(at);
  }
  return study;
}

void execute(const fs::path& file, const std::string& sql) {
  sqlite3* database = nullptr;
  QCOMPARE(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  char* problem = nullptr;
  sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &problem);
  QVERIFY2(problem == nullptr, problem);
  sqlite3_close(database);
}

/// Turns a store into what the first version wrote: 9 metrics and the terms a step, no studies.
void makeOld(const fs::path& file) {
  execute(file,
          "DROP TABLE studies; DROP TABLE layer_studies; ALTER TABLE points DROP COLUMN balance; ALTER TABLE runs DROP "
          "COLUMN text_checksum; "
          "ALTER TABLE runs DROP COLUMN validated_tokens; ALTER TABLE runs DROP COLUMN held_out_tokens; DELETE FROM "
          "load_summaries; "
          "DELETE FROM layer_blocks; PRAGMA user_version = 1");
  // One open block of one step: offset 0, then 1..9 and two terms.
  std::vector<float> values;
  for (int i = 1; i <= 11; ++i) values.push_back(static_cast<float>(i));
  std::string hex = "00000000";
  for (const float value : values) {
    unsigned char bytes[4];
    std::memcpy(bytes, &value, 4);
    for (const unsigned char byte : bytes) hex += QString("%1").arg(byte, 2, 16, QChar('0')).toStdString();
  }
  execute(file,
          "INSERT INTO layer_blocks(run, layer, first_step, last_step, count, closed, experts, terms, metrics, loads) "
          "VALUES(1, 0, 1, 1, 1, 0, 2, 2, x'" +
              hex + "', x'0000003F0000003F')");
}

}  // namespace

class StudiesTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void studiesOfManyExpertsComeBackWithTheListOfTheirTables() {
    const TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    const RunId run = store->createRun({});
    const auto wide = [&](std::int64_t step, std::int32_t experts, std::size_t listed) {
      RunStudy study = studyAt(run, step);
      for (LayerStudy& at : study.layers) {
        at.experts = experts;
        at.selections = {experts - 1, 7, -1};
        at.listed = listedExperts(at.selections, experts);
        if (listed > at.listed.size()) at.listed.resize(listed), std::iota(at.listed.begin(), at.listed.end(), 0);
        at.coactivation.assign(listed * listed, 0.25f);
        at.domains.assign(2 * listed, 0.5f);
      }
      return study;
    };
    const RunStudy written[] = {wide(1, 40'000, 256), wide(2, 300, 256),
                                wide(3, 300, 300)};  // the last as older programs wrote it
    for (const RunStudy& study : written) store->append(study);
    const auto studies = store->studies(run);
    for (std::size_t i = 0; i < 3; ++i) QVERIFY(studies[i]->layers == written[i].layers);
    QCOMPARE(studies[0]->layers[0].listed.back(), 39'999);
    QVERIFY(std::filesystem::file_size(folder / "runs.db") < 5 << 20);
  }
  void studiesComeBackEqualInOrderOfStep() {
    const TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    const RunId run = store->createRun({});
    for (const std::int64_t step : {0, 200, 100, 200}) store->append(studyAt(run, step));
    const auto studies = store->studies(run);
    QCOMPARE(studies.size(), std::size_t{3});
    for (std::size_t i = 0; i < 3; ++i) {
      const RunStudy expected = studyAt(run, static_cast<std::int64_t>(100 * i));
      QCOMPARE(studies[i]->step, expected.step);
      QCOMPARE(studies[i]->domains, expected.domains);
      QCOMPARE(studies[i]->domainTokens, expected.domainTokens);
      QCOMPARE(studies[i]->layers, expected.layers);
    }
  }
  void aValueThatWasNotMeasuredStaysSo() {
    const TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    const RunId run = store->createRun({});
    RunStudy study = studyAt(run, 0);
    study.layers[0].maxVioGlobal = kNotMeasured;
    store->append(study);
    QVERIFY(std::isnan(store->studies(run)[0]->layers[0].maxVioGlobal));
  }
  void truncationAndDeletionTakeStudiesAlong() {
    const TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    const RunId run = store->createRun({}), other = store->createRun({});
    for (const std::int64_t step : {0, 100, 200})
      store->append(studyAt(run, step)), store->append(studyAt(other, step));
    store->truncate(run, 100);
    QCOMPARE(store->studies(run).size(), std::size_t{2});
    store->deleteRun(run);
    QCOMPARE(store->studies(run).size(), std::size_t{0});
    QCOMPARE(store->studies(other).size(), std::size_t{3});
  }
  void aDamagedStudyIsToldAndNotBelieved() {
    const TemporaryFolder folder;
    RunId run = 0;
    {
      const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
      run = store->createRun({});
      store->append(studyAt(run, 0));
    }
    for (const char* damage : {"selections = x'0700'", "selections = x'070007000700'", "experts = -1",
                               "slots = 1000000000", "coactivation = x'00'", "domain_shares = x''"}) {
      fs::copy_file(folder / "runs.db", folder / "damaged.db", fs::copy_options::overwrite_existing);
      execute(folder / "damaged.db", std::string("UPDATE layer_studies SET ") + damage);
      const auto store = RunStore::open(folder / "damaged.db", RunStore::Access::readOnly);
      QVERIFY_EXCEPTION_THROWN(store->studies(run), Error);
    }
  }
  void aStoreOfTheSecondVersionKeepsItsNamesEitherWay() {
    const TemporaryFolder folder;
    {
      const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
      store->append(studyAt(store->createRun({}), 0));
    }
    execute(folder / "runs.db",
            "UPDATE studies SET domains = 'first text' || char(10) || 'second' || char(10); "
            "ALTER TABLE runs DROP COLUMN text_checksum; ALTER TABLE runs DROP COLUMN validated_tokens; "
            "ALTER TABLE runs DROP COLUMN held_out_tokens; PRAGMA user_version = 2");
    for (const RunStore::Access access :
         {RunStore::Access::readOnly, RunStore::Access::write, RunStore::Access::write}) {
      const auto store = RunStore::open(folder / "runs.db", access);
      QCOMPARE(store->studies(1).at(0)->domains, (std::vector<std::string>{"first text", "second"}));
      QCOMPARE(store->run(1).heldOutTokens, std::int64_t{0});
    }
  }
  void aStoreOfTheFirstVersionOpensEitherWay() {
    const TemporaryFolder folder;
    {
      const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
      StepPoint point = pointAt(1, 2);
      store->append(store->createRun({}), std::span(&point, 1));
    }
    makeOld(folder / "runs.db");
    for (const RunStore::Access access : {RunStore::Access::readOnly, RunStore::Access::write}) {
      const auto store = RunStore::open(folder / "runs.db", access);
      const std::vector<StepPoint> points = store->points(1);
      QCOMPARE(points.size(), std::size_t{1});
      QCOMPARE(points[0].loss, pointAt(1).loss);
      QVERIFY(points[0].balance.empty());
      const LayerPoint& layer = points[0].layers.at(0);
      QCOMPARE(layer.maxVio, 1.0f);
      QCOMPARE(layer.biasJaccard, 9.0f);
      QVERIFY(std::isnan(layer.unused) && std::isnan(layer.balanceGradient));
      QCOMPARE(layer.balance, (std::vector<float>{10, 11}));
      QVERIFY(layer.termGradient.empty());
      QCOMPARE(layer.load, (std::vector<float>{0.5f, 0.5f}));
      QVERIFY(store->studies(1).empty());
    }
    // New steps join old ones in one block.
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    std::vector<StepPoint> more;
    for (std::int64_t step = 2; step <= 300; ++step) {
      more.push_back(pointAt(step, 2));
      more.back().layers.resize(1);
      more.back().layers[0].layer = 0;
    }
    store->append(1, more);
    const std::vector<StepPoint> points = store->points(1);
    QCOMPARE(points.size(), std::size_t{300});
    QVERIFY(std::isnan(points[0].layers.at(0).unused));
    QVERIFY(same(points[150], more[149]));
    store->append(studyAt(1, 300));
    QCOMPARE(store->studies(1).size(), std::size_t{1});
  }
};
SWITCHYARD_TEST(StudiesTest)
#include "studies_test.moc"
