#include "tests/support/command_line.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using test::pathIn;
using test::switchyard;

class ConfigTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aConfigThatNestsTooDeepIsRefusedInWords() {
    const test::TemporaryFolder folder;
    const std::string deep = std::string(80'000, '[') + std::string(80'000, ']');
    test::writeText(folder / "deep.json", deep);
    test::writeText(folder / "half.json", "{\"model\": {\n \"width\": 64,\n}}");
    const auto refused = switchyard(QStringList{"train", "--config", pathIn(folder, "deep.json")});
    QVERIFY2(
        refused.code == 1 && refused.errors.contains("deep.json: expected JSON nested at most 200 levels, found more"),
        refused.errors.constData());
    const auto half = switchyard(QStringList{"train", "--config", pathIn(folder, "half.json")});
    QVERIFY2(half.code == 1 && half.errors.contains("half.json: expected JSON, found an error at line 3, column 1"),
             half.errors.constData());
    const auto set =
        switchyard(QStringList{"train", "--set", "train.batch=" + QString::fromStdString(deep.substr(0, 60'000))});
    QVERIFY2(set.code == 2 && set.errors.contains("nested at most 200 levels"), set.errors.left(300).constData());
  }
};
SWITCHYARD_TEST(ConfigTest)
#include "config_test.moc"
