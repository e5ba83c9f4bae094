#include "core/data/tokenizer.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"
#include "core/data/builtin_corpus.h"
#include "core/data/pretokenizer.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

std::string builtinText() {
  std::string text;
  for (const LabelledText& domain : builtinDomains(3)) text += domain.text;
  return text;
}

std::vector<std::string> piecesOf(std::string_view text) {
  std::vector<std::string> pieces;
  Pretokenizer().split(text, [&pieces](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

using Ids = std::vector<std::int32_t>;

Ids bytesOf(const std::string& piece) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(piece.data());
  return {bytes, bytes + piece.size()};
}

Ids merged(const Ids& ids, std::array<int, 2> pair, int id) {
  Ids out;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool meets = i + 1 < ids.size() && ids[i] == pair[0] && ids[i + 1] == pair[1];
    out.push_back(meets ? id : ids[i]);
    if (meets) ++i;
  }
  return out;
}

/// Everything counted anew before every merge. A pair's place in line is that of its first meeting, words in the order of
/// theirs; a merge meets the words it changes.
std::vector<std::array<int, 2>> mergesByDefinition(const std::string& text, int most) {
  std::vector<std::string> order;
  std::map<std::string, std::pair<Ids, std::int64_t>> words;
  for (const std::string& piece : piecesOf(text)) {
    const auto [entry, isNew] = words.try_emplace(piece, bytesOf(piece), 0);
    if (isNew) order.push_back(piece);
    ++entry->second.second;
  }
  std::map<std::array<int, 2>, std::size_t> met;
  const auto meet = [&met](const Ids& ids) {
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) met.try_emplace({ids[i], ids[i + 1]}, met.size());
  };
  for (const std::string& word : order) meet(words[word].first);
  std::vector<std::array<int, 2>> merges;
  while (static_cast<int>(merges.size()) < most) {
    std::map<std::array<int, 2>, std::int64_t> counts;
    for (const auto& [piece, word] : words)
      for (std::size_t i = 0; i + 1 < word.first.size(); ++i) counts[{word.first[i], word.first[i + 1]}] += word.second;
    const auto best = std::ranges::max_element(counts, [&met](const auto& a, const auto& b) {
      return a.second != b.second ? a.second < b.second : met[a.first] > met[b.first];
    });
    if (best == counts.end() || best->second < 2) break;
    merges.push_back(best->first);
    for (const std::string& piece : order) {
      Ids& ids = words[piece].first;
      const Ids now = merged(ids, merges.back(), 255 + static_cast<int>(merges.size()));
      if (now.size() == ids.size()) continue;
      ids = now;
      meet(ids);
    }
  }
  return merges;
}

Ids tokensByDefinition(const std::string& text, const std::vector<std::array<int, 2>>& merges) {
  Ids tokens;
  for (const std::string& piece : piecesOf(text)) {
    Ids ids = bytesOf(piece);
    for (std::size_t rank = 0; rank < merges.size(); ++rank)
      ids = merged(ids, merges[rank], 256 + static_cast<int>(rank));
    tokens.insert(tokens.end(), ids.begin(), ids.end());
  }
  return tokens;
}

const std::string kMixed = "Grüße an 12345 Züge, \xf0\x9f\x9a\x82!\n\n    if (x != 3) { return y; }\n";

}  // namespace

class TokenizerTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void bytesAreTheirOwnIds() {
    const auto tokenizer = makeByteTokenizer();
    QCOMPARE(tokenizer->vocabulary(), 256);
    QCOMPARE(tokenizer->encode("A\xc3\xa4"), (std::vector<std::int32_t>{65, 0xc3, 0xa4}));
    QCOMPARE(tokenizer->decode(tokenizer->encode(kMixed)), kMixed);
  }
  void charactersAreNumberedByFrequencyAndUnknownOnesAreZero() {
    const auto tokenizer = trainCharacterTokenizer("bbbaaä");
    QCOMPARE(tokenizer->vocabulary(), 4);
    QCOMPARE(tokenizer->encode("baäz"), (std::vector<std::int32_t>{1, 2, 3, 0}));
    QCOMPARE(tokenizer->decode(tokenizer->encode("bäz")), std::string("bä\xef\xbf\xbd"));
    const auto whole = trainCharacterTokenizer(kMixed);
    QCOMPARE(whole->decode(whole->encode(kMixed)), kMixed);
  }
  void mergesFollowFrequencyAndTiesGoToThePairMetFirst() {
    // Words: "abab" twice, " cd" twice. (a,b) is met 4 times; then (ab,ab), ( ,c) and (c,d) twice each, met in this order.
    const nlohmann::json json = trainBpeTokenizer("abab abab cd cd", 300)->toJson();
    const nlohmann::json& merges = json["merges"];
    QCOMPARE(merges[0], nlohmann::json({'a' + 0, 'b' + 0}));
    QCOMPARE(merges[1], nlohmann::json({' ' + 0, 'c' + 0}));
    QVERIFY(merges.size() < 44);  // no pair is met twice any more
  }
  void pairEncodingGivesBackEveryByteOfAnyText() {
    const auto tokenizer = trainBpeTokenizer(builtinText(), 600);
    QCOMPARE(tokenizer->vocabulary(), 600);
    for (const std::string& text :
         {builtinText(), kMixed, std::string("a\xff\xfe b \x80", 7), std::string(3000, 'x'), std::string()})
      QCOMPARE(tokenizer->decode(tokenizer->encode(text)), text);
  }
  void pairEncodingShortensTheTextItWasTrainedOn() {
    const std::string text = builtinText();
    const auto tokenizer = trainBpeTokenizer(text, 1024);
    const std::size_t tokens = tokenizer->encode(text).size();
    QVERIFY2(tokens * 2 < text.size(), std::to_string(tokens).c_str());
  }
  void mergesAndTokensAreThoseOfTheDefinition_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::newRow("words") << QByteArray::fromStdString(builtinText().substr(0, 12'000));
    QTest::newRow("runs of one letter") << QByteArray("aaa aaaa aaaaaaa baaab ").repeated(5) + QByteArray(300, 'a');
    std::mt19937 random(7);
    QByteArray letters, chinese;
    for (int i = 0; i < 4000; ++i) {
      letters += "abc"[random() % 3];
      const unsigned common = random() % 40 * (random() % 12);
      chinese += QString(QChar(static_cast<char16_t>(0x4E00 + common))).toUtf8();
    }
    QTest::newRow("letters without spaces") << letters;
    QTest::newRow("Chinese") << chinese;
    QTest::newRow("no UTF-8") << QByteArray("\xff\xfe\xff\xfe a\x80 a\x80");
  }
  void mergesAndTokensAreThoseOfTheDefinition() {
    QFETCH(QByteArray, text);
    const auto tokenizer = trainBpeTokenizer(text.toStdString(), 700);
    const std::vector<std::array<int, 2>> merges = mergesByDefinition(text.toStdString(), 700 - 256);
    QCOMPARE(tokenizer->toJson()["merges"], nlohmann::json(merges));
    QCOMPARE(tokenizer->encode(text.toStdString()), tokensByDefinition(text.toStdString(), merges));
  }
  void textsGivenOneByOneTeachWhatTheyTeachInOne() {
    const std::string text = builtinText() + "   \n\n 12345 " + std::string(300, 'x') + " end";
    std::mt19937 random(11);
    const auto bpe = bpeTraining(700);
    const auto characters = characterTraining();
    std::size_t counted = 0;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = std::min(text.size(), at + (random() % 4 == 0 ? random() % 5000 : random() % 7));
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
      bpe->add(std::string_view(text).substr(at, end - at), [&](std::size_t bytes) { counted += bytes; });
      characters->add(std::string_view(text).substr(at, end - at));
      at = end;
    }
    QCOMPARE(counted, text.size());
    QCOMPARE(bpe->finish()->toJson(), trainBpeTokenizer(text, 700)->toJson());
    QCOMPARE(characters->finish()->toJson(), trainCharacterTokenizer(text)->toJson());
  }
  void aSinkIsToldWhichBytesItsTokensAre() {
    const std::string text = builtinText();
    for (const auto& tokenizer : {makeByteTokenizer(), trainCharacterTokenizer(text), trainBpeTokenizer(text, 300)}) {
      std::size_t at = 0;
      tokenizer->encode(text, [&](std::span<const std::int32_t> ids, std::size_t bytes) {
        QCOMPARE(tokenizer->decode(ids), text.substr(at, bytes));
        at += bytes;
      });
      QCOMPARE(at, text.size());
    }
  }
  void trainingTwiceGivesTheSameMerges() {
    const std::string text = builtinText();
    QCOMPARE(trainBpeTokenizer(text, 800)->toJson(), trainBpeTokenizer(text, 800)->toJson());
  }
  void aVocabularySmallerThanTheBytesIsRefused() { QVERIFY_EXCEPTION_THROWN(trainBpeTokenizer("text", 255), Error); }
  void piecesTogetherAreTheTextAndKeepWordsWhole() {
    std::string together;
    for (const std::string& piece : piecesOf(kMixed)) together += piece;
    QCOMPARE(together, kMixed);
    QCOMPARE(piecesOf("two  words, 12345\n\n!"),
             (std::vector<std::string>{"two", "  ", "words", ",", " 123", "45", "\n\n", "!"}));
  }
  void everyKindComesBackFromItsJson() {
    for (const auto& tokenizer :
         {makeByteTokenizer(), trainCharacterTokenizer(kMixed), trainBpeTokenizer(kMixed + kMixed, 280)}) {
      const auto again = tokenizerFromJson(nlohmann::json::parse(tokenizer->toJson().dump()));
      QCOMPARE(again->kind(), tokenizer->kind());
      QCOMPARE(again->vocabulary(), tokenizer->vocabulary());
      QCOMPARE(again->encode(kMixed), tokenizer->encode(kMixed));
    }
  }
  void aDamagedTokenizerFileIsRefusedInASentence_data() {
    QTest::addColumn<QString>("json");
    QTest::addColumn<QString>("said");
    QTest::newRow("no kind") << "{}"
                             << "kind: expected";
    // clang-format off
    QTest::newRow("other kind") << R"({"kind":"words"})" << "found \"words\"";
    QTest::newRow("no characters") << R"({"kind":"characters"})" << "characters: expected";
    QTest::newRow("character twice") << R"({"kind":"characters","characters":"aba"})" << "found one twice";
    QTest::newRow("other pattern") << R"({"kind":"bpe","pretokenizer":"x","merges":[]})" << "pretokenizer: expected";
    QTest::newRow("no merges") << R"({"kind":"bpe","pretokenizer":"words-1"})" << "merges: expected";
    QTest::newRow("id of a later merge") << R"({"kind":"bpe","pretokenizer":"words-1","merges":[[97,256]]})" << "merges.0: expected two ids";
    QTest::newRow("not a pair") << R"({"kind":"bpe","pretokenizer":"words-1","merges":[[97]]})" << "merges.0: expected two ids";
    QTest::newRow("not a number") << R"({"kind":"bpe","pretokenizer":"words-1","merges":[[97,"b"]]})" << "merges.0: expected two ids";
    QTest::newRow("huge id") << R"({"kind":"bpe","pretokenizer":"words-1","merges":[[97,18446744073709551615]]})" << "merges.0";
    QTest::newRow("not an object") << "[1]" << "kind: expected";
    // clang-format on
  }
  void aDamagedTokenizerFileIsRefusedInASentence() {
    QFETCH(QString, json);
    QFETCH(QString, said);
    const std::string sentence = sentenceOf([&] { tokenizerFromJson(nlohmann::json::parse(json.toStdString())); });
    QVERIFY2(sentence.starts_with("[tokenizer] ") && sentence.find(said.toStdString()) != std::string::npos,
             sentence.c_str());
  }
  void mergesThatDoubleATokenWithoutEndAreRefused() {
    nlohmann::json json = {{"kind", "bpe"}, {"pretokenizer", "words-1"}, {"merges", nlohmann::json::array()}};
    for (int id = 255; id < 300; ++id) json["merges"].push_back({id, id});
    const std::string sentence = sentenceOf([&] { tokenizerFromJson(json); });
    QVERIFY2(sentence.find("merges.16: expected a token of at most 65536 bytes") != std::string::npos,
             sentence.c_str());
  }
};
SWITCHYARD_TEST(TokenizerTest)
#include "tokenizer_test.moc"
