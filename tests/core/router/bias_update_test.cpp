#include "core/router/bias_update.h"

#include "tests/support/register.h"

using namespace moe;
using Counts = std::vector<std::int64_t>;
using Update = Recipe::Adjust::SelectionBias::Update;

namespace {

std::vector<double> moved(std::vector<double> bias, const Counts& counts, Update update, double rate = 0.25) {
  updateSelectionBias(std::span<double>(bias), counts, {rate, update});
  return bias;
}

}  // namespace

class BiasUpdateTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theSignRuleMovesEachExpertByTheSameAmount() {
    // Mean 4: under, over, exactly.
    QCOMPARE(moved({0, 1, 2}, {0, 8, 4}, Update::sign), (std::vector<double>{0.25, 0.75, 2}));
    QCOMPARE(moved({0, 1, 2}, {3, 5, 4}, Update::sign), (std::vector<double>{0.25, 0.75, 2}));
  }
  void theSignIsExactWhereTheMeanIsNoWholeNumber() {
    // Mean 10/3: three is under it, four is over it.
    QCOMPARE(moved({0, 0, 0}, {3, 3, 4}, Update::sign), (std::vector<double>{0.25, 0.25, -0.25}));
    // A mean past 2^53, where the difference of doubles would be zero.
    const std::int64_t big = (std::int64_t{1} << 60) + 1;
    QCOMPARE(moved({0, 0}, {big, big - 2}, Update::sign), (std::vector<double>{-0.25, 0.25}));
  }
  void equalLoadsMoveNothing() {
    for (const Update update : {Update::sign, Update::proportional})
      QCOMPARE(moved({0.5, -1, 3}, {7, 7, 7}, update), (std::vector<double>{0.5, -1, 3}));
  }
  void noAssignmentsMoveNothing() {
    for (const Update update : {Update::sign, Update::proportional})
      QCOMPARE(moved({0.5, -1}, {0, 0}, update), (std::vector<double>{0.5, -1}));
  }
  void theProportionalRuleFollowsTheShareThatIsMissing() {
    // Mean 4: (4 - c) / 4.
    QCOMPARE(moved({0, 1, 2, 0}, {0, 8, 4, 4}, Update::proportional), (std::vector<double>{0.25, 0.75, 2, 0}));
    QCOMPARE(moved({0, 0, 0, 0}, {2, 3, 1, 10}, Update::proportional),
             (std::vector<double>{0.125, 0.0625, 0.1875, -0.375}));
    // Only shares count: ten times the tokens move the bias alike.
    QCOMPARE(moved({0, 0, 0, 0}, {20, 30, 10, 100}, Update::proportional),
             moved({0, 0, 0, 0}, {2, 3, 1, 10}, Update::proportional));
  }
  void theStoredPrecisionMovesAsTheExactOne() {
    std::vector<float> bias = {0, 1, 2};
    updateSelectionBias(std::span<float>(bias), Counts{0, 8, 4}, {0.25, Update::sign});
    QCOMPARE(bias, (std::vector<float>{0.25F, 0.75F, 2}));
  }
};
SWITCHYARD_TEST(BiasUpdateTest)
#include "bias_update_test.moc"
