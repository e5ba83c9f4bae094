#include <complex>

#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/tensor/philox.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

namespace {

Tensor drawnQkv(const AttentionSpec& spec) {
  Tensor qkv = hostTensor({spec.sequences * spec.length, spec.qkvWidth()}, DType::f64);
  fillNormal(qkv, {.seed = 5}, 0, 1);
  return qkv;
}

Tensor attend(const TensorView& qkv, const AttentionSpec& spec) {
  ReferenceBackend backend;
  const Tensor saved = backend.allocate({backend.attentionSavedElements(spec)}, qkv.dtype);
  Tensor out = backend.allocate({spec.sequences * spec.length, spec.heads * spec.headWidth}, qkv.dtype);
  backend.attention(out, saved, qkv, spec);
  return out;
}

}  // namespace

class AttentionTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theFirstTokenCopiesItsValue() {
    const AttentionSpec spec{.length = 3, .heads = 2, .kvHeads = 2, .headWidth = 2, .ropeTheta = 10000};
    const Tensor qkv = drawnQkv(spec), out = attend(qkv, spec);
    for (int i = 0; i < 4; ++i) QVERIFY(std::abs(out.as<double>()[i] - qkv.as<double>()[8 + i]) < 1e-15);
  }
  void twoTokensByHand() {
    // Query (2, 0) against keys (1, 0) and (3, 5): scores 2/sqrt(2) and 6/sqrt(2).
    const AttentionSpec spec{.length = 2, .headWidth = 2};
    const Tensor qkv = numbers({2, 6}, {9, 9, 1, 0, 10, 20, 2, 0, 3, 5, 30, 50});
    const double second = 1 / (1 + std::exp(-4 / std::sqrt(2.0)));
    QVERIFY(distance(valuesOf(attend(qkv, spec)), {10, 20, 10 + 20 * second, 20 + 30 * second}) < 1e-13);
  }
  void rotaryPairsLieHalfAHeadApart() {
    // Head width 4, theta 100: the pair (0, 2) turns by the position, the pair (1, 3) by a tenth of it. Token 0's key
    // is not turned, so token 1's scores are what its turned query gives.
    const AttentionSpec spec{.length = 2, .headWidth = 4, .ropeTheta = 100};
    const std::vector<double> q{0.3, -0.7, 1.1, 0.4}, k0{0.9, 0.2, -0.5, 0.8}, k1{-0.6, 1.3, 0.1, 0.7};
    std::vector<double> row0{0, 0, 0, 0}, row1 = q;
    row0.insert(row0.end(), k0.begin(), k0.end());
    row0.insert(row0.end(), {0, 0, 0, 0});
    row1.insert(row1.end(), k1.begin(), k1.end());
    row1.insert(row1.end(), {1, 1, 1, 1});
    row0.insert(row0.end(), row1.begin(), row1.end());
    const double c0 = std::cos(1.0), s0 = std::sin(1.0), c1 = std::cos(0.1), s1 = std::sin(0.1);
    const std::vector<double> turned{q[0] * c0 - q[2] * s0, q[1] * c1 - q[3] * s1, q[0] * s0 + q[2] * c0,
                                     q[1] * s1 + q[3] * c1};
    double score0 = 0, score1 = 0;  // turning both query and key of token 1 changes nothing between them
    for (std::size_t i = 0; i < 4; ++i) score0 += turned[i] * k0[i] / 2, score1 += q[i] * k1[i] / 2;
    const double weight1 = 1 / (1 + std::exp(score0 - score1));
    const Tensor out = attend(numbers({2, 12}, row0), spec);
    for (int i = 0; i < 4; ++i) QVERIFY(std::abs(out.as<double>()[4 + i] - weight1) < 1e-14);
  }
  void rotaryScoresDependOnTheDistanceAlone() {
    // As complex numbers a + ib of a pair, turning query by s and key by j gives Re(q conj(k) e^(i (s - j) angle)).
    const AttentionSpec spec{.length = 5, .headWidth = 4, .ropeTheta = 100};
    const Tensor qkv = drawnQkv(spec), out = attend(qkv, spec);
    const auto pair = [&](std::int64_t token, std::int64_t part, std::int64_t i) {
      const double* row = qkv.as<double>() + token * 12 + part * 4;
      return std::complex<double>(row[i], row[i + 2]);
    };
    for (std::int64_t s = 0; s < 5; ++s) {
      std::vector<double> sums(4);
      double total = 0;
      for (std::int64_t j = 0; j <= s; ++j) {
        double score = 0;
        for (std::int64_t i = 0; i < 2; ++i) {
          const double angle = static_cast<double>(s - j) * (i == 0 ? 1 : 0.1);
          score += (pair(s, 0, i) * std::conj(pair(j, 1, i)) * std::polar(1.0, angle)).real();
        }
        const double weight = std::exp(score / 2);
        total += weight;
        for (std::size_t i = 0; i < 4; ++i) sums[i] += weight * qkv.as<double>()[j * 12 + 8 + static_cast<int>(i)];
      }
      for (double& sum : sums) sum /= total;
      QVERIFY(distance(valuesOf(out.view().rows(s, s + 1)), sums) < 1e-13);
    }
  }
  void aLaterTokenChangesNothingBeforeIt() {
    const AttentionSpec spec{.sequences = 2, .length = 4, .heads = 2, .kvHeads = 1, .headWidth = 2, .ropeTheta = 10000};
    const Tensor qkv = drawnQkv(spec);
    const auto before = valuesOf(attend(qkv, spec));
    for (int i = 0; i < 8; ++i) qkv.as<double>()[2 * 8 + i] += 1;  // token 2 of the first sequence
    const auto after = valuesOf(attend(qkv, spec));
    for (std::size_t t = 0; t < 8; ++t)
      for (std::size_t i = t * 4; i < t * 4 + 4; ++i) QCOMPARE(before[i] == after[i], t != 2 && t != 3);
  }
  void groupedQueriesShareTheirKeysAndValues() {
    const AttentionSpec grouped{.length = 3, .heads = 4, .kvHeads = 2, .headWidth = 2, .ropeTheta = 50};
    AttentionSpec full = grouped;
    full.kvHeads = 4;
    const Tensor qkv = drawnQkv(grouped), repeated = hostTensor({3, full.qkvWidth()}, DType::f64);
    for (int t = 0; t < 3; ++t)
      for (int head = 0; head < 12; ++head) {
        const int from = head < 4 ? head : head < 8 ? 4 + (head - 4) / 2 : 6 + (head - 8) / 2;
        for (int i = 0; i < 2; ++i)
          repeated.as<double>()[t * 24 + head * 2 + i] = qkv.as<double>()[t * 16 + from * 2 + i];
      }
    QCOMPARE(valuesOf(attend(qkv, grouped)), valuesOf(attend(repeated, full)));
  }
  void oneTokenAtATimeGivesTheSameRows_data() {
    QTest::addColumn<double>("theta");
    QTest::newRow("rotary") << 10000.0;
    QTest::newRow("no positions") << 0.0;
  }
  void oneTokenAtATimeGivesTheSameRows() {
    QFETCH(double, theta);
    const AttentionSpec spec{.length = 6, .heads = 4, .kvHeads = 2, .headWidth = 4, .ropeTheta = theta};
    AttentionSpec next = spec;
    next.length = 1;
    const Tensor qkv = drawnQkv(spec), all = attend(qkv, spec);
    ReferenceBackend backend;
    const Tensor keys = hostTensor({8, 2, 4}, DType::f64), values = hostTensor({8, 2, 4}, DType::f64);
    const Tensor row = hostTensor({1, 16}, DType::f64);
    for (std::int64_t t = 0; t < spec.length; ++t) {
      backend.attentionNext(row, {keys, values}, qkv.view().rows(t, t + 1), next, t);
      QCOMPARE(valuesOf(row), valuesOf(all.view().rows(t, t + 1)));
    }
  }
  void largeScoresStayFinite() {
    const AttentionSpec spec{.length = 2, .headWidth = 1};
    const Tensor qkv = numbers({2, 3}, {1e3, 1e3, 1, 1e3, -1e3, 2});
    QCOMPARE(valuesOf(attend(qkv, spec)), (std::vector<double>{1, 1}));
  }
};
SWITCHYARD_TEST(AttentionTest)
#include "attention_test.moc"
