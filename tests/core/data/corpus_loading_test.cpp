#include <sys/stat.h>
#include <unistd.h>

#include "core/data/corpus.h"
#include "core/data/text_files.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

std::string refusalOf(const fs::path& path) {
  return sentenceOf([&] { loadCorpus({.source = path.string()}); });
}

std::string trainingText(const Corpus& corpus, std::size_t domain) {
  return corpus.tokenizer().decode(corpus.domains()[domain].training.ids());
}
std::string heldOutText(const Corpus& corpus, std::size_t domain) {
  return corpus.tokenizer().decode(corpus.domains()[domain].heldOut.ids());
}

#define SAYS(sentence, part) \
  QVERIFY2(sentence.starts_with("[data] ") && sentence.find(part) != std::string::npos, sentence.c_str())

}  // namespace

class CorpusLoadingTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theLastTenthOfAFileIsHeldOut() {
    const TemporaryFolder folder;
    writeText(folder / "numbers.txt", std::string(90, 'a') + std::string(10, 'b'));
    const auto corpus = loadCorpus({.source = (folder / "numbers.txt").string()});
    QCOMPARE(corpus->domains().size(), std::size_t{1});
    QCOMPARE(corpus->domains()[0].name, std::string("numbers"));
    QCOMPARE(trainingText(*corpus, 0), std::string(90, 'a'));
    QCOMPARE(heldOutText(*corpus, 0), std::string(10, 'b'));
  }
  void theSplitNeverCutsACharacter() {
    const TemporaryFolder folder;
    writeText(folder / "text",
              "12345678\xe2\x82\xac"
              "9");  // byte 10 of 12 lies inside the sign
    const auto corpus = loadCorpus({.source = (folder / "text").string()});
    QCOMPARE(heldOutText(*corpus, 0), std::string("9"));
  }
  void everyEntryOfAFolderIsADomainSortedByName() {
    const TemporaryFolder folder;
    writeText(folder / "b.txt", std::string(10, 'b'));
    writeText(folder / "a/two.txt", std::string(10, '2'));
    writeText(folder / "a/deep/one.txt", std::string(10, '1'));
    writeText(folder / "c.txt", "");
    writeText(folder / ".hidden", std::string(1, '\0'));
    const auto corpus = loadCorpus({.source = folder.path().string()});
    QCOMPARE(corpus->domains().size(), std::size_t{2});
    QCOMPARE(corpus->domains()[0].name, std::string("a"));
    QCOMPARE(trainingText(*corpus, 0), std::string(9, '1') + std::string(9, '2'));
    QCOMPARE(heldOutText(*corpus, 0), std::string("12"));
    QCOMPARE(corpus->domains()[1].name, std::string("b"));
  }
  void loadingTellsHowFarItHasComeAndEndsWhereNobodyWaits() {
    const TemporaryFolder folder;
    for (const char* name : {"a", "b", "c"}) {
      std::string text(100'000, 'x');
      text += " of ";
      text += name;
      writeText(folder / name, text);
    }
    const DataConfig config{.source = folder.path().string(), .tokenizer = TokenizerKind::bpe, .vocabulary = 260};
    std::vector<std::pair<std::string, double>> told;
    const auto corpus =
        loadCorpus(config, [&](const std::string& what, double share) { told.emplace_back(what, share); });
    std::vector<std::string> stages;
    for (std::size_t i = 0; i < told.size(); ++i) {
      const auto& [what, share] = told[i];
      QVERIFY(share >= 0 && share <= 1);
      if (stages.empty() || stages.back() != what)
        stages.push_back(what);
      else
        QVERIFY(share > told[i - 1].second);
    }
    QCOMPARE(stages,
             (std::vector<std::string>{"reading the text", "learning the tokenizer", "cutting the text into tokens"}));
    QVERIFY(told.back().second > 0.98);
    QVERIFY_EXCEPTION_THROWN(loadCorpus(config,
                                        [](const std::string&, double share) {
                                          if (share > 0.3) throw Ended();
                                        }),
                             Ended);
  }
  void theSizeOfATextIsToldWithoutReadingIt() {
    const TemporaryFolder folder;
    std::string spaced, unspaced;
    for (int i = 0; i < 20'000; ++i) {
      spaced += i % 3 ? "the yard is full " : "of trains. ";
      const char32_t character = 0x4E00 + static_cast<char32_t>(i * i % 1999);
      unspaced += QString::fromUcs4(&character, 1).toStdString();
    }
    writeText(folder / "text/spaced", spaced);
    writeText(folder / "text/deep/a/unspaced", unspaced);
    writeText(folder / "text/.hidden", spaced);
    const auto all = static_cast<std::int64_t>(spaced.size() + unspaced.size());
    DataConfig config{.source = (folder / "text").string()};
    TextSize size = textSize(config);
    QCOMPARE(size.bytes, all);
    QCOMPARE(size.largest, static_cast<std::int64_t>(spaced.size()));
    QCOMPARE(size.tokens, all);
    QCOMPARE(size.words, std::int64_t{0});
    for (const char* part : {"spaced", "deep"}) {  // as they are cut
      DataConfig cut{.source = (folder / (std::string("text/") + part)).string(),
                     .tokenizer = TokenizerKind::characters};
      const auto corpus = loadCorpus(cut);
      const auto tokens =
          (corpus->trainingTokens() + corpus->heldOutTokens()) * tokenBytes(corpus->tokenizer().vocabulary());
      QCOMPARE(textSize(cut).tokens, tokens);
    }
    config.tokenizer = TokenizerKind::bpe;
    config.source = (folder / "text/deep").string();
    size = textSize(config);
    QVERIFY(size.words > static_cast<std::int64_t>(unspaced.size()) * 9 / 10);
    config.source = (folder / "text/spaced").string();
    size = textSize(config);
    QVERIFY(size.words < size.bytes / 2);
    config.source = (folder / "nothing").string();
    QCOMPARE(textSize(config).bytes, std::int64_t{0});
    QVERIFY(textSize({}).bytes > 290'000);
  }
  void theBuiltInCorpusHasItsDomainsAndItsHeldOutPart() {
    const auto corpus = loadCorpus({});
    QCOMPARE(corpus->domains().size(), std::size_t{10});
    QVERIFY(corpus->trainingTokens() > 270'000 && corpus->heldOutTokens() > 30'000);
    QVERIFY(corpus->unigramEntropy() > 3 && corpus->unigramEntropy() < 5.5);
  }
  void theTokenizerLearnsFromTheTrainingPartAlone() {
    const TemporaryFolder folder;
    writeText(folder / "text", std::string(90, 'a') + std::string(10, 'b'));
    DataConfig config{.source = (folder / "text").string(), .tokenizer = TokenizerKind::characters};
    const auto corpus = loadCorpus(config);
    QCOMPARE(corpus->tokenizer().vocabulary(), 2);
    QCOMPARE(corpus->domains()[0].heldOut.ids(), std::vector<std::int32_t>(10, 0));
    config.tokenizer = TokenizerKind::bpe;
    config.vocabulary = 260;
    QCOMPARE(trainingText(*loadCorpus(config), 0), std::string(90, 'a'));
  }
  void aGivenTokenizerIsUsedAsItIs() {
    const TemporaryFolder folder;
    writeText(folder / "text", std::string(20, 'z'));
    const std::shared_ptr<const Tokenizer> given = trainCharacterTokenizer("abc");
    const auto corpus =
        loadCorpus({.source = (folder / "text").string(), .tokenizer = TokenizerKind::characters}, given);
    QCOMPARE(corpus->sharedTokenizer(), given);
    QCOMPARE(corpus->domains()[0].training.ids(), std::vector<std::int32_t>(18, 0));
  }
  void aByteOrderMarkIsNoText() {
    const TemporaryFolder folder;
    writeText(folder / "text", "\xef\xbb\xbf" + std::string(10, 'a'));
    QCOMPARE(trainingText(*loadCorpus({.source = (folder / "text").string()}), 0), std::string(9, 'a'));
  }
  void badInputIsRefusedInASentence() {
    const TemporaryFolder folder;
    const std::string missing = refusalOf(folder / "absent.txt");
    SAYS(missing, "absent.txt: expected a text file or a folder of them, found nothing there");
    writeText(folder / "empty.txt", "");
    const std::string empty = refusalOf(folder / "empty.txt");
    SAYS(empty, "found an empty file");
    writeText(folder / "binary/picture", std::string("PNG\0\1", 5));
    const std::string binary = refusalOf(folder / "binary/picture");
    SAYS(binary, "found binary data (byte 0x00 at offset 3)");
    const std::string inFolder = refusalOf(folder / "binary");
    SAYS(inFolder, "binary/picture: expected UTF-8 text");
    writeText(folder / "latin.txt", "caf\xe9 noir");
    const std::string latin = refusalOf(folder / "latin.txt");
    SAYS(latin, "not UTF-8 at offset 3");
    fs::create_directories(folder / "nothing/in/it");
    const std::string nothing = refusalOf(folder / "nothing");
    SAYS(nothing, "found no text");
    const std::string builtin = refusalOf("builtin:other");
    SAYS(builtin, "expected \"builtin:domains\"");
    const std::string none = refusalOf("");
    SAYS(none, "expected a text file");
  }
  void aFileThatMayNotBeReadIsNamed() {
    if (::geteuid() == 0) QSKIP("root reads every file");
    const TemporaryFolder folder;
    writeText(folder / "closed.txt", "text");
    fs::permissions(folder / "closed.txt", fs::perms::none);
    const std::string said = refusalOf(folder / "closed.txt");
    SAYS(said, "Permission denied");
  }
  void whatIsNoRegularFileIsSkippedInAFolderAndCounted() {
    const TemporaryFolder folder;
    writeText(folder / "a/b/text.txt", std::string(100, 'a'));
    QCOMPARE(loadCorpus({.source = folder.path().string()})->skipped(), std::int64_t{0});
    fs::create_directory_symlink(folder / "a", folder / "a/b/again");  // into itself
    fs::create_symlink("self", folder / "self");
    fs::create_symlink("nowhere", folder / "dangling.txt");
    QCOMPARE(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    QCOMPARE(::mkfifo((folder / "a/pipe").c_str(), 0600), 0);
    const auto corpus = loadCorpus({.source = folder.path().string()});
    QCOMPARE(corpus->skipped(), std::int64_t{5});
    QCOMPARE(corpus->domains().size(), std::size_t{1});
    QCOMPARE(trainingText(*corpus, 0), std::string(90, 'a'));
  }
  void aPipeADeviceAndALoopAreRefusedAtOnce() {
    const TemporaryFolder folder;
    QCOMPARE(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    fs::create_symlink("self", folder / "self");
    const std::string pipe = refusalOf(folder / "pipe"), device = refusalOf("/dev/zero"),
                      loop = refusalOf(folder / "self");
    SAYS(pipe, "found a named pipe");
    SAYS(device, "found a device");
    SAYS(loop, "symbolic links");
  }
  void namesAreDataWhateverBytesTheyHold() {
    const TemporaryFolder folder;
    for (const char* name : {"line\nfeed.txt", "\x1b[31mred.txt", "caf\xe9.txt"})
      writeText(folder.path() / name, "some text of it");
    const auto corpus = loadCorpus({.source = folder.path().string()});
    QCOMPARE(corpus->domains()[0].name, std::string("\x1b[31mred"));
    QCOMPARE(corpus->domains()[1].name, std::string("caf\xe9"));
    QCOMPARE(corpus->domains()[2].name, std::string("line\nfeed"));
  }
};
SWITCHYARD_TEST(CorpusLoadingTest)
#include "corpus_loading_test.moc"
