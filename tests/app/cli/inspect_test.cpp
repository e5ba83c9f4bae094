#include <QJsonArray>

#include <cmath>

#include "tests/support/command_line.h"

using namespace moe;
using test::switchyard;

class InspectTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    const auto result = switchyard(test::tinyTraining(folder_) << "--steps" << "5");
    QVERIFY2(result.code == 0, result.errors.constData());
    checkpoint_ = QString::fromStdString((folder_ / "out").string());
  }
  void everyTokenSaysWhereItWent() {
    const auto result = switchyard({"inspect", "--checkpoint", checkpoint_, "--text", "the yard", "--json"});
    QVERIFY2(result.code == 0, result.errors.constData());
    QCOMPARE(result.lines().size(), std::size_t{1});
    const QJsonArray tokens = result.lines()[0]["tokens"].toArray();
    QCOMPARE(tokens.size(), 8);
    QVERIFY(tokens[0].toObject()["loss"].isNull());
    for (int t = 0; t < 8; ++t) {
      const QJsonObject token = tokens[t].toObject();
      QCOMPARE(token["text"].toString(), QString("the yard").mid(t, 1));
      QCOMPARE(token["id"].toInt(), static_cast<int>("the yard"[t]));
      if (t > 0) QVERIFY(token["loss"].toDouble() > 0);
      QCOMPARE(token["layers"].toArray().size(), 2);
      for (const QJsonValue& value : token["layers"].toArray()) {
        const QJsonObject layer = value.toObject();
        const QJsonArray experts = layer["experts"].toArray(), weights = layer["weights"].toArray(), probs = layer["probs"].toArray();
        QCOMPARE(experts.size(), 2);
        QCOMPARE(weights.size(), 2);
        QCOMPARE(probs.size(), 4);
        QVERIFY(std::abs(weights[0].toDouble() + weights[1].toDouble() - 1) < 1e-5);
        QVERIFY(probs[experts[0].toInt()].toDouble() >= probs[experts[1].toInt()].toDouble());
        for (int e = 0; e < 4; ++e)
          if (e != experts[0].toInt()) QVERIFY(probs[experts[1].toInt()].toDouble() >= probs[e].toDouble() || e == experts[1].toInt());
        QCOMPARE(layer["dropped"].toBool(), false);
      }
    }
  }
  void aContinuationIsTheSameWithTheSameSeed() {
    const QStringList base{"generate", "--checkpoint", checkpoint_, "--prompt", "the ", "--tokens", "40", "--seed"};
    const auto first = switchyard(base + QStringList{"1"}), again = switchyard(base + QStringList{"1"}), other = switchyard(base + QStringList{"2"});
    QCOMPARE(first.code, 0);
    QVERIFY(first.output.startsWith("the "));
    QCOMPARE(again.output, first.output);
    QVERIFY(other.output != first.output);
    const auto json = switchyard(base + QStringList{"1", "--json"});
    QCOMPARE(json.lines()[0]["tokens"].toArray().size(), 44);
  }
  void presetsAndDevicesAreListed() {
    const auto presets = switchyard({"presets", "--json"});
    QCOMPARE(presets.code, 0);
    QVERIFY(presets.lines().size() >= 4);
    const auto one = switchyard({"presets", presets.lines()[0]["id"].toString(), "--json"});
    QVERIFY(one.lines()[0]["config"].isObject());
    QVERIFY(one.lines()[0]["predicted_memory"].toDouble() > 0);
    QCOMPARE(switchyard({"presets", "nobody"}).code, 1);
    const auto devices = switchyard({"devices", "--json"});
    QCOMPARE(devices.code, 0);
    QVERIFY(devices.lines().size() >= 2);
    // A backend that finds nothing to compute on says why.
    for (const QJsonObject& device : devices.lines())
      QVERIFY(device["threads"].toInt() >= 1 || !device["reason"].toString().isEmpty());
  }
  void aMissingCheckpointAndAnEmptyTextAreTold() {
    const auto missing = switchyard({"inspect", "--checkpoint", checkpoint_ + "/nowhere", "--text", "a"});
    QCOMPARE(missing.code, 1);
    QVERIFY2(missing.errors.contains("nowhere"), missing.errors.constData());
    const auto empty = switchyard({"inspect", "--checkpoint", checkpoint_, "--text", ""});
    QCOMPARE(empty.code, 1);
    QCOMPARE(switchyard({"inspect", "--text", "a"}).code, 2);
  }

 private:
  test::TemporaryFolder folder_;
  QString checkpoint_;
};
SWITCHYARD_TEST(InspectTest)
#include "inspect_test.moc"
