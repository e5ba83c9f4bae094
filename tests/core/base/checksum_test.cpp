#include "core/base/checksum.h"

#include "core/base/error.h"
#include "core/base/file_reader.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

class ChecksumTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void publishedValuesAreMet() {
    QCOMPARE(checksumText(checksum("")), std::string("cbf29ce484222325"));
    QCOMPARE(checksumText(checksum("a")), std::string("af63dc4c8601ec8c"));
    QCOMPARE(checksumText(checksum("foobar")), std::string("85944171f73967e8"));
  }
  void aFileHasTheSumOfItsBytes() {
    const TemporaryFolder folder;
    const std::string bytes(3'000'000, 'x');
    writeText(folder / "file", bytes);
    QCOMPARE(checksumOfFile("test", folder / "file"), checksum(bytes));
    QVERIFY_EXCEPTION_THROWN(checksumOfFile("test", folder / "absent"), Error);
  }
  void aReaderSaysWhereAFileEnds() {
    const TemporaryFolder folder;
    writeText(folder / "file", "12345");
    const FileReader reader("test", folder / "file");
    char bytes[8];
    reader.read(bytes, 1, 4);
    QCOMPARE(std::string(bytes, 4), std::string("2345"));
    const std::string said = sentenceOf([&] { reader.read(bytes, 3, 4); });
    QVERIFY2(said.find("expected 2 more bytes at offset 5") != std::string::npos, said.c_str());
  }
};
SWITCHYARD_TEST(ChecksumTest)
#include "checksum_test.moc"
