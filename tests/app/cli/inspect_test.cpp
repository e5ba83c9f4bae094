#include <QJsonArray>

#include <cmath>

#include "tests/support/command_line.h"

using namespace moe;
using test::switchyard;

class InspectTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    const auto result = switchyard(test::tinyTraining(folder_) + QStringList{"--steps", "5"});
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
        const QJsonArray experts = layer["experts"].toArray(), weights = layer["weights"].toArray(),
                         probs = layer["probs"].toArray();
        QCOMPARE(experts.size(), 2);
        QCOMPARE(weights.size(), 2);
        QCOMPARE(probs.size(), 4);
        QVERIFY(std::abs(weights[0].toDouble() + weights[1].toDouble() - 1) < 1e-5);
        QVERIFY(probs[experts[0].toInt()].toDouble() >= probs[experts[1].toInt()].toDouble());
        for (int e = 0; e < 4; ++e)
          if (e != experts[0].toInt())
            QVERIFY(probs[experts[1].toInt()].toDouble() >= probs[e].toDouble() || e == experts[1].toInt());
        QCOMPARE(layer["dropped"].toBool(), false);
      }
    }
  }
  void whatIsBeyondTheContextIsSaid() {
    const auto json =
        switchyard({"inspect", "--checkpoint", checkpoint_, "--text", "the yard is full of trains", "--json"});
    QCOMPARE(json.lines()[0]["tokens"].toArray().size(), 16);
    QCOMPARE(json.lines()[0]["left_out"].toInt(), 10);
    const auto text = switchyard({"inspect", "--checkpoint", checkpoint_, "--text", "the yard is full of trains"});
    QVERIFY2(text.output.contains("The model sees 16 tokens: the first 10 of the text are left out."),
             text.output.constData());
    QVERIFY(!switchyard({"inspect", "--checkpoint", checkpoint_, "--text", "the yard"}).output.contains("left out"));
  }
  /// recipe.md, expert choice "past": of its position and those before it, an expert takes the best floor(C t / S), at least
  /// one, with the C and S of training, not of the text at hand (field, numbers 1).
  void aStoredExpertChoiceModelKeepsTheCapacityOfItsTraining() {
    const test::TemporaryFolder folder;
    QStringList training = test::tinyTraining(folder) + QStringList{"--preset", "expert_choice", "--steps", "20"};
    training.insert(1, "--set");
    training.insert(2, "model.dense_layers=[0]");  // before there are fewer layers
    const auto trained = switchyard(training);
    QVERIFY2(trained.code == 0, trained.errors.constData());
    const QString checkpoint = QString::fromStdString((folder / "out").string());
    constexpr int kTrainingTokens = 2 * 16, kExperts = 4, kSlots = kTrainingTokens * 2 / kExperts;
    const auto holds = [&](const QJsonArray& tokens) {
      int asked = 0;
      for (int t = 0; t < tokens.size(); ++t) {
        const auto layerOf = [&](int token) { return tokens[token].toObject()["layers"].toArray().last().toObject(); };
        const QJsonArray experts = layerOf(t)["experts"].toArray();
        asked += static_cast<int>(experts.size());
        for (int e = 0; e < kExperts; ++e) {
          const double own = layerOf(t)["probs"].toArray()[e].toDouble();
          int better = 0;
          for (int past = 0; past < t; ++past) better += layerOf(past)["probs"].toArray()[e].toDouble() >= own;
          if (experts.contains(e) != (better < std::max(1, kSlots * (t + 1) / kTrainingTokens))) return false;
        }
      }
      return asked < tokens.size() * kExperts;  // not every token to all of them
    };
    const auto inspected = switchyard({"inspect", "--checkpoint", checkpoint, "--text", "the yard is full", "--json"});
    QVERIFY2(inspected.code == 0, inspected.errors.constData());
    QVERIFY(holds(inspected.lines()[0]["tokens"].toArray()));
    const auto generated =
        switchyard({"generate", "--checkpoint", checkpoint, "--prompt", "the ", "--tokens", "10", "--json"});
    QVERIFY2(generated.code == 0, generated.errors.constData());
    QVERIFY(holds(generated.lines()[0]["tokens"].toArray()));
  }
  void aContinuationIsTheSameWithTheSameSeed() {
    const QStringList base{"generate", "--checkpoint", checkpoint_, "--prompt", "the ", "--tokens", "40", "--seed"};
    const auto first = switchyard(base + QStringList{"1"}), again = switchyard(base + QStringList{"1"}),
               other = switchyard(base + QStringList{"2"});
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
