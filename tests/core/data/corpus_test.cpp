#include "core/data/corpus.h"

#include <cmath>
#include <set>

#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

std::vector<std::int32_t> counting(int from, int count) {
  std::vector<std::int32_t> ids;
  for (int i = 0; i < count; ++i) ids.push_back(from + i);
  return ids;
}

/// Domain 0: training 0..99, held out 100..109. Domain 1: training 200..202, held out 210..212.
Corpus countingCorpus() {
  return Corpus(makeByteTokenizer(),
                {{"long", counting(0, 100), counting(100, 10)}, {"short", counting(200, 3), counting(210, 3)}});
}

}  // namespace

class CorpusTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aTrainingSequenceIsAStretchOfOneDomainAndItsTargetsAreTheNextTokens() {
    const Corpus corpus = countingCorpus();
    Batch batch;
    std::set<std::int32_t> domains, starts;
    for (std::int64_t step = 0; step < 200; ++step) {
      corpus.drawTraining(batch, 7, step, 0, 4, 8);
      QCOMPARE(batch.tokens(), std::int64_t{32});
      for (std::size_t t = 0; t < 32; ++t) {
        domains.insert(batch.domains[t]);
        QCOMPARE(batch.positions[t], static_cast<std::int32_t>(t % 8));
        if (t % 8 != 0) {
          QCOMPARE(batch.ids[t], batch.targets[t - 1]);
          QCOMPARE(batch.domains[t], batch.domains[t - 1]);
        } else if (batch.domains[t] == 0) {
          starts.insert(batch.ids[t]);
        }
        if (batch.domains[t] == 0) QCOMPARE(batch.targets[t], batch.ids[t] + 1);
        if (batch.domains[t] == 1) QCOMPARE(batch.targets[t], 200 + (batch.ids[t] - 200 + 1) % 3);
      }
    }
    QCOMPARE(domains.size(), std::size_t{2});
    QCOMPARE(*starts.begin(), 0);    // every start is drawn, the first ...
    QCOMPARE(*starts.rbegin(), 91);  // ... to the last whose final target is token 99
  }
  void domainsAreDrawnInProportionToTheirLength() {
    const Corpus corpus(makeByteTokenizer(),
                        {{"a", counting(0, 100), {}}, {"b", counting(0, 50), {}}, {"c", counting(0, 50), {}}});
    Batch batch;
    int ofA = 0;
    for (std::int64_t step = 0; step < 1000; ++step) {
      corpus.drawTraining(batch, 1, step, 0, 4, 2);
      for (std::size_t t = 0; t < 8; t += 2) ofA += batch.domains[t] == 0;
    }
    // Binomial(4000, 1/2): deviation 31.6, five of them.
    QVERIFY2(std::abs(ofA - 2000) < 158, std::to_string(ofA).c_str());
  }
  void theSameStepGivesTheSameBatchAtAnyTime() {
    const Corpus corpus = countingCorpus();
    Batch first, again, other;
    corpus.drawTraining(first, 7, 3, 1, 4, 8);
    corpus.drawTraining(other, 7, 4, 1, 4, 8);
    corpus.drawTraining(again, 7, 3, 1, 4, 8);
    QCOMPARE(again.ids, first.ids);
    QVERIFY(other.ids != first.ids);
    corpus.drawTraining(other, 7, 3, 0, 4, 8);
    QVERIFY(other.ids != first.ids);
    corpus.drawTraining(other, 8, 3, 1, 4, 8);
    QVERIFY(other.ids != first.ids);
  }
  void heldOutWindowsLieEndToEndAndAShortDomainIsNotPadded() {
    const Corpus corpus = countingCorpus();  // a: 9 or more held-out tokens from 100 on, b: 210, 211, 212
    const std::vector<HeldOutWindow> windows = corpus.heldOutWindows(4, 1'000);
    QCOMPARE(windows, (std::vector<HeldOutWindow>{{0, 0, 4}, {0, 4, 4}, {1, 0, 3}}));
    std::span<const HeldOutWindow> rest = windows;
    Batch batch;
    QVERIFY(corpus.heldOutBatch(batch, rest, 3));
    QCOMPARE(batch.sequences, std::int64_t{2});  // of one length
    QCOMPARE(batch.ids, (std::vector<std::int32_t>{100, 101, 102, 103, 104, 105, 106, 107}));
    QCOMPARE(batch.targets, (std::vector<std::int32_t>{101, 102, 103, 104, 105, 106, 107, 108}));
    QVERIFY(corpus.heldOutBatch(batch, rest, 3));
    QCOMPARE(batch.ids, (std::vector<std::int32_t>{210, 211, 212}));
    QCOMPARE(batch.targets, (std::vector<std::int32_t>{211, 212, -1}));
    QCOMPARE(batch.positions, (std::vector<std::int32_t>{0, 1, 2}));
    QVERIFY(!corpus.heldOutBatch(batch, rest, 3));
  }
  void aBudgetOfHeldOutTokensIsSpreadOverDomainsByTheirLength() {
    const auto counted = [](std::size_t tokens) { return std::vector<std::int32_t>(tokens, 1); };
    const Corpus corpus(makeByteTokenizer(), {{"long", counted(9), counted(6'001)},
                                              {"middle", counted(9), counted(3'001)},
                                              {"short", counted(9), counted(1'001)}});
    const std::vector<HeldOutWindow> windows = corpus.heldOutWindows(10, 105);
    QCOMPARE(windows.size(), std::size_t{10});
    QCOMPARE(std::ranges::count(windows, 0, &HeldOutWindow::domain), 6);
    QCOMPARE(std::ranges::count(windows, 1, &HeldOutWindow::domain), 3);
    QCOMPARE(std::ranges::count(windows, 2, &HeldOutWindow::domain), 1);
    QCOMPARE(windows[0].start, std::int64_t{500});  // the middle of the first tenth
    QCOMPARE(windows[5].start, std::int64_t{5'500});
    QCOMPARE(corpus.heldOutWindows(10, 105), windows);
  }
  void fewerTokensThanAWindowAreOneWindowOfSoMany() {
    const Corpus corpus(makeByteTokenizer(), {{"a", {1}, std::vector<std::int32_t>(500, 1)}});
    const std::vector<HeldOutWindow> windows = corpus.heldOutWindows(48, 10);
    QCOMPARE(windows.size(), std::size_t{1});
    QCOMPARE(windows[0].length, std::int64_t{10});
  }
  void textWithoutAHeldOutTargetIsRefusedInWords() {
    const Corpus corpus(makeByteTokenizer(), {{"a", {1, 2, 3}, {4}}, {"b", {1, 2, 3}, {}}});
    const std::string said = sentenceOf([&] { corpus.requireHeldOut(); });
    QVERIFY2(said.find("found 1 in 2 domains") != std::string::npos && said.find("data.held_out") != std::string::npos,
             said.c_str());
    countingCorpus().requireHeldOut();
  }
  void theChecksumIsOfTheTokensWhateverTheFilesAreCalled() {
    const auto of = [](std::vector<Corpus::Domain> domains) {
      return Corpus(makeByteTokenizer(), std::move(domains)).checksum();
    };
    const std::uint64_t sum = of({{"a", {1, 2, 3}, {4}}, {"b", {5}, {6}}});
    QCOMPARE(of({{"moved", {1, 2, 3}, {4}}, {"too", {5}, {6}}}), sum);
    QVERIFY(of({{"a", {1, 2}, {3, 4}}, {"b", {5}, {6}}}) != sum);
    QVERIFY(of({{"a", {1, 2, 3}, {4}}, {"b", {6}, {5}}}) != sum);
  }
  void unigramEntropyIsThatOfTheTrainingPart() {
    const Corpus corpus(makeByteTokenizer(), {{"a", {1, 1, 2, 3}, {9, 9, 9}}});
    QVERIFY(std::abs(corpus.unigramEntropy() - 1.5 * std::log(2.0)) < 1e-12);
  }
  void aCorpusShorterThanOneBatchSaysHowMuchIsThereAndHowMuchIsNeeded() {
    const Corpus corpus = countingCorpus();
    corpus.requireBatch(6, 17);  // 103 tokens are just enough
    const std::string said = sentenceOf([&] { corpus.requireBatch(13, 8); });
    QVERIFY2(
        said.find("at least 105 training tokens") != std::string::npos && said.find("found 103;") != std::string::npos,
        said.c_str());
  }
};
SWITCHYARD_TEST(CorpusTest)
#include "corpus_test.moc"
