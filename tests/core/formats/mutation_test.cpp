#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/formats/checkpoint.h"
#include "core/formats/checkpoint_files.h"
#include "core/formats/safetensors.h"
#include "tests/support/register.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

/// A few random flips, cuts, doublings or swaps of bytes.
std::string mutated(std::string bytes, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % std::max<std::size_t>(n, 1)); };
  static const std::string kTokens[] = {
      "9223372036854775808", "-1", "null", "{}", "[]", "\"", "1e999", "\xff", ",", "0.5", "true"};
  for (std::size_t i = 0, count = 1 + below(3); i < count && !bytes.empty(); ++i) {
    const std::size_t at = below(bytes.size());
    switch (below(5)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 1: bytes.resize(at); break;
      case 2: bytes.insert(at, bytes.substr(at, 1 + below(20))); break;
      case 3: bytes.erase(at, 1 + below(10)); break;
      default:
        bytes.replace(at, std::min<std::size_t>(1 + below(4), bytes.size() - at), kTokens[below(std::size(kTokens))]);
        break;
    }
  }
  return bytes;
}

/// Whether `call` ends well or in an Error; any other exception fails the test.
template <class Call>
bool endsInErrorOrSuccess(Call call, int& refused) {
  try {
    call();
  } catch (const Error&) { ++refused; } catch (const std::exception& other) {
    qWarning("%s", other.what());
    return false;
  }
  return true;
}

/// Makes state.json agree with the altered file, so that its reader is reached.
void sumAgain(const fs::path& folder, const char* name) {
  nlohmann::json state = nlohmann::json::parse(readText(folder / kStateFile));
  state["files"][name] = {{"bytes", fs::file_size(folder / name)},
                          {"checksum", checksumText(checksumOfFile("test", folder / name))}};
  state.erase("checksum");
  state["checksum"] = checksumText(checksum(state.dump()));
  writeText(folder / kStateFile, state.dump(1));
}

}  // namespace

class MutationTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void mutatedSafetensorsAreReadOrRefused() {
    const TemporaryFolder folder;
    saveCheckpoint(folder / "step-1", smallCheckpoint());
    const std::string whole = readText(folder / "step-1/model.safetensors");
    const int memory = ::memfd_create("mutated", MFD_CLOEXEC);  // a file that costs no disk
    const fs::path path = "/proc/self/fd/" + std::to_string(memory);
    std::mt19937 random(1);
    int refused = 0;
    for (int i = 0; i < 3000; ++i) {
      writeText(path, mutated(whole, random));
      QVERIFY(endsInErrorOrSuccess(
          [&] {
            const SafetensorsFile file(path);
            for (const SafetensorsFile::Entry& entry : file.entries()) file.read(entry);
          },
          refused));
    }
    ::close(memory);
    QVERIFY2(refused > 1500 && refused < 3000, std::to_string(refused).c_str());
  }
  void mutatedCheckpointsAreReadOrRefused_data() {
    QTest::addColumn<QByteArray>("name");
    for (const char* name : {kConfigFile, kTokenizerFile, kOptimizerFile, kStateFile})
      QTest::newRow(name) << QByteArray(name);
  }
  void mutatedCheckpointsAreReadOrRefused() {
    QFETCH(QByteArray, name);
    const TemporaryFolder folder;
    const fs::path step = folder / "step-1";
    saveCheckpoint(step, smallCheckpoint());
    const std::string whole = readText(step / name.constData());
    std::mt19937 random(2);
    int refused = 0;
    for (int i = 0; i < 120; ++i) {
      writeText(step / name.constData(), mutated(whole, random));
      if (name != kStateFile) sumAgain(step, name.constData());
      QVERIFY(endsInErrorOrSuccess([&] { loadCheckpoint(step); }, refused));
    }
    QVERIFY2(refused > 60, std::to_string(refused).c_str());
  }
};
SWITCHYARD_TEST(MutationTest)
#include "mutation_test.moc"
