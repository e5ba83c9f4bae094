#include "core/formats/safetensors.h"

#include <cstring>

#include "core/base/error.h"
#include "core/formats/checkpoint.h"
#include "tests/support/register.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

std::string fileOf(const std::string& header, std::size_t dataBytes, std::int64_t length = -1) {
  const std::uint64_t said = length < 0 ? header.size() : static_cast<std::uint64_t>(length);
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &said, 8);
  return bytes + header + std::string(dataBytes, '\1');
}

std::string openingOf(const std::filesystem::path& path, const std::string& bytes) {
  writeText(path, bytes);
  return sentenceOf([&] { SafetensorsFile file(path); });
}

}  // namespace

class SafetensorsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyTypeComesBackBitByBitInTheOrderItWasWritten() {
    const TemporaryFolder folder;
    std::vector<Tensor> tensors;
    std::vector<NamedView> views;
    for (const DType dtype : {DType::f64, DType::i64, DType::f32, DType::i32, DType::bf16, DType::u8}) {
      tensors.push_back(hostTensor({2, 3}, dtype));
      auto* bytes = static_cast<unsigned char*>(tensors.back().view().data);
      for (std::size_t i = 0; i < tensors.back().view().bytes(); ++i) bytes[i] = static_cast<unsigned char>(7 * i + 1);
      views.push_back({"of " + std::string(nameOf(dtype)), tensors.back()});
    }
    tensors.push_back(hostTensor({}, DType::u8));
    views.push_back({"scalar", tensors.back()});
    FileWriter writer("test", folder / "all.safetensors");
    writeSafetensors(writer, views, {{"format", "pt"}});
    writer.close();
    const SafetensorsFile file(folder / "all.safetensors");
    QCOMPARE(file.metadata().at("format"), std::string("pt"));
    QCOMPARE(file.entries().size(), views.size());
    for (std::size_t i = 0; i < views.size(); ++i) {
      const SafetensorsFile::Entry& entry = file.entries()[i];
      QCOMPARE(entry.name, views[i].name);
      QVERIFY(entry.shape == views[i].view.shape && entry.dtype == views[i].view.dtype);
      const Tensor read = file.read(entry);
      QVERIFY(std::memcmp(read.view().data, views[i].view.data, views[i].view.bytes()) == 0);
    }
    QVERIFY(file.find("scalar") != nullptr && file.find("absent") == nullptr);
  }
  void theLayoutIsTheOneOfTheFormat() {
    const TemporaryFolder folder;
    const Tensor one = tensorOf({1}, 1.0f);
    FileWriter writer("test", folder / "one");
    const NamedView view{"x", one};
    writeSafetensors(writer, {&view, 1});
    writer.close();
    const std::string header = R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    std::string expected = fileOf(header + std::string(2, ' '), 0);
    QCOMPARE(readText(folder / "one"), expected + std::string("\0\0\x80\x3f", 4));
  }
  void aFileWithoutTensorsIsWhole() {
    const TemporaryFolder folder;
    QCOMPARE(openingOf(folder / "empty", fileOf("{}", 0)), std::string());
  }
  void metadataMayBeNull() {
    const TemporaryFolder folder;
    QCOMPARE(openingOf(folder / "file", fileOf(R"({"__metadata__":null})", 0)), std::string());
  }
  void everyWrongHeaderIsRefusedInASentence_data() {
    QTest::addColumn<QByteArray>("header");
    QTest::addColumn<int>("bytes");
    QTest::addColumn<QByteArray>("said");
    const auto row = [](const char* name, const char* header, int bytes, const char* said) {
      QTest::newRow(name) << QByteArray(header) << bytes << QByteArray(said);
    };
    row("not JSON", "{\"x\"", 0, "header: expected JSON, found an error at line 1, column 5");
    row("not an object", "[]", 0, "header: expected a JSON object, found array");
    row("not UTF-8", "{\"\xff\":1}", 0, "expected JSON");
    row("nested deeply", "[[[[[[[[]]]]]]]]", 0, "nested at most 3 levels");
    row("name twice",
        R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
        1, "found \"x\" twice");
    row("field twice", R"({"x":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1,
        "found \"dtype\" twice");
    row("no fields", R"({"x":3})", 0, "x: expected the field \"dtype\", found none");
    row("unknown type", R"({"x":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}})", 1,
        "x: expected dtype F32, F64, BF16, I32, I64 or U8, found \"F8\"");
    row("five axes", R"({"x":{"dtype":"U8","shape":[1,1,1,1,1],"data_offsets":[0,1]}})", 1, "at most 4 axes");
    row("negative extent", R"({"x":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1,
        "whole numbers in \"shape\", found -1");
    row("broken extent", R"({"x":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", 1, "found 1.5");
    row("extents that overflow", R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
        "a shape that fits into memory");
    row("extent past 63 bits", R"({"x":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,1]}})", 1,
        "whole numbers");
    row("wrong size", R"({"x":{"dtype":"F32","shape":[8, 128],"data_offsets":[0,4]}})", 4,
        "expected 4096 bytes for F32 [8, 128], found data_offsets 0 to 4");
    row("backwards", R"({"x":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}})", 0, "found data_offsets 1 to 0");
    row("one offset", R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "two data_offsets");
    row("past the end", R"({"x":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", 8, "within the 8 that follow");
    row("huge", R"({"x":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}})", 8,
        "within the 8 that follow");
    row("overlap",
        R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
        3, "y: expected its bytes to begin at 2");
    row("hole",
        R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
        3, "y: expected its bytes to begin at 1");
    row("unaligned",
        R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
        5, "y: expected an offset that is a multiple of 4");
    row("bytes left over", R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2,
        "expected 1 bytes behind the header, found 2");
    row("a type that is not used yet", R"({"x":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2,
        "found numbers of type F16; the file is whole, convert it");
    row("metadata of numbers", R"({"__metadata__":{"a":1}})", 0, "__metadata__.a: expected a text, found number");
  }
  void everyWrongHeaderIsRefusedInASentence() {
    QFETCH(QByteArray, header);
    QFETCH(int, bytes);
    QFETCH(QByteArray, said);
    const TemporaryFolder folder;
    const std::string sentence =
        openingOf(folder / "file", fileOf(header.toStdString(), static_cast<std::size_t>(bytes)));
    QVERIFY2(sentence.starts_with("[safetensors] ") && sentence.find(said.toStdString()) != std::string::npos,
             sentence.c_str());
  }
  void aHeaderLongerThanTheFileIsRefusedBeforeItIsAllocated() {
    const TemporaryFolder folder;
    const std::string sentence = openingOf(folder / "file", fileOf("{}", 0, INT64_MAX));
    QVERIFY2(sentence.find("a header of at most 2 bytes, the file says 9223372036854775807") != std::string::npos,
             sentence.c_str());
    QVERIFY(openingOf(folder / "file", "1234567").find("found a file of 7") != std::string::npos);
    QVERIFY(openingOf(folder / "file", "").find("found a file of 0") != std::string::npos);
  }
  void aFileCutShortAfterItWasOpenedIsAnErrorWhenRead() {
    const TemporaryFolder folder;
    writeText(folder / "file", fileOf(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4));
    const SafetensorsFile file(folder / "file");
    std::filesystem::resize_file(folder / "file", 20);
    QVERIFY_EXCEPTION_THROWN(file.read(file.entries()[0]), Error);
  }
};
SWITCHYARD_TEST(SafetensorsTest)
#include "safetensors_test.moc"
