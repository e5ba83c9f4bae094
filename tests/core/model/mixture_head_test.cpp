#include "core/model/mixture_head.h"

#include <cmath>

#include "core/backend/reference/reference_backend.h"
#include "core/tensor/philox.h"
#include "tests/support/register.h"

using namespace moe;
using Form = Recipe::Head::Form;
using Density = Recipe::Head::Density;

namespace {

constexpr std::int64_t kTokens = 4, kExperts = 3, kOutputs = 5;

std::vector<double> draws(std::int64_t n, std::uint64_t seed) {
  const Tensor tensor = hostTensor({n, 1}, DType::f64);
  fillNormal(tensor, {.seed = seed}, 0, 1);
  const auto numbers = tensor.span<double>();
  return {numbers.begin(), numbers.end()};
}

struct Case {
  std::vector<double> shares, outputs = draws(kExperts * kTokens * kOutputs, 2);
  Tensor values = hostTensor({kTokens, kOutputs}, DType::f64);
  std::vector<std::int32_t> ids{3, -1, 0, 4};  // the second is masked
  MixtureTarget target;
  Case() {
    for (const double z : draws(kTokens * kExperts, 1)) shares.push_back(std::exp(z));
    for (std::size_t t = 0; t < kTokens; ++t) {
      double sum = 0;
      for (std::size_t e = 0; e < kExperts; ++e) sum += shares[t * kExperts + e];
      for (std::size_t e = 0; e < kExperts; ++e) shares[t * kExperts + e] /= sum;
    }
    fillNormal(values, {.seed = 3}, 0, 1);
    target = {values, ids};
  }
};

}  // namespace

class MixtureHeadTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void gradientsOfTheLossesAgreeWithCentralDifferences_data() {
    QTest::addColumn<int>("form");
    QTest::addColumn<int>("density");
    for (const auto& [name, form] :
         {std::pair{"likelihood", Form::likelihood}, std::pair{"competitive", Form::competitive},
          std::pair{"cooperative", Form::cooperative}}) {
      QTest::addRow("%s, gaussian", name) << static_cast<int>(form) << static_cast<int>(Density::gaussian);
      QTest::addRow("%s, categorical", name) << static_cast<int>(form) << static_cast<int>(Density::categorical);
    }
  }
  void gradientsOfTheLossesAgreeWithCentralDifferences() {
    QFETCH(int, form);
    QFETCH(int, density);
    Case c;
    MixtureGradients gradients{std::vector<double>(c.shares.size()), std::vector<double>(c.outputs.size())};
    const auto loss = [&](MixtureGradients* into) {
      return mixtureLoss(static_cast<Form>(form), static_cast<Density>(density), c.shares, c.outputs, c.target,
                         kExperts, 0.7, into);
    };
    loss(&gradients);
    const auto check = [&](std::vector<double>& numbers, const std::vector<double>& gradient) {
      double error = 0, size = 0;
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const double kept = numbers[i];
        numbers[i] = kept + 1e-5;
        const double above = loss(nullptr);
        numbers[i] = kept - 1e-5;
        const double numeric = 0.7 * (above - loss(nullptr)) / 2e-5;
        numbers[i] = kept;
        error += (numeric - gradient[i]) * (numeric - gradient[i]);
        size += numeric * numeric;
      }
      return size > 0 && std::sqrt(error / size) <= 1e-6;
    };
    QVERIFY(check(c.shares, gradients.shares));
    QVERIFY(check(c.outputs, gradients.outputs));
  }
  void everyFormIsItsFormula() {
    Case c;
    double sums[6] = {};
    int known = 0;
    for (std::size_t t = 0; t < kTokens; ++t) {
      const std::int32_t y = c.ids[t];
      double likely[2] = {}, competitive[2] = {}, blend[kOutputs] = {};
      for (std::size_t e = 0; e < kExperts; ++e) {
        const double p = c.shares[t * kExperts + e];
        const double* o = &c.outputs[(e * kTokens + t) * kOutputs];
        double distance = 0, exponentials = 0;
        for (std::size_t i = 0; i < kOutputs; ++i) {
          const double off = c.values.as<double>()[t * kOutputs + i] - o[i];
          distance += off * off;
          exponentials += std::exp(o[i]);
          blend[i] += p * o[i];
        }
        likely[0] += p * std::exp(-distance / 2);
        competitive[0] += p * distance;
        if (y < 0) continue;
        likely[1] += p * std::exp(o[y]) / exponentials;
        competitive[1] -= p * std::log(std::exp(o[y]) / exponentials);
      }
      double distance = 0, exponentials = 0;
      for (std::size_t i = 0; i < kOutputs; ++i) {
        const double off = c.values.as<double>()[t * kOutputs + i] - blend[i];
        distance += off * off;
        exponentials += std::exp(blend[i]);
      }
      sums[0] -= std::log(likely[0]) / kTokens;
      sums[1] += competitive[0] / kTokens;
      sums[2] += distance / kTokens;
      if (y < 0) continue;
      ++known;
      sums[3] -= std::log(likely[1]);
      sums[4] += competitive[1];
      sums[5] -= std::log(std::exp(blend[y]) / exponentials);
    }
    int at = 0;
    for (const Density density : {Density::gaussian, Density::categorical})
      for (const Form form : {Form::likelihood, Form::competitive, Form::cooperative}) {
        const double found = mixtureLoss(form, density, c.shares, c.outputs, c.target, kExperts, 0, nullptr);
        const double expected = sums[at] / (at < 3 ? 1 : known);
        QVERIFY2(std::abs(found - expected) < 1e-12,
                 qPrintable(QString("%1: %2, not %3").arg(at).arg(found).arg(expected)));
        ++at;
      }
  }
  void theLossesAreOrderedAsConvexitySays() {
    // -log is convex: the likelihood of the mixture is at least that of its best blend of costs.
    Case c;
    const auto value = [&](Form form) {
      return mixtureLoss(form, Density::categorical, c.shares, c.outputs, c.target, kExperts, 0, nullptr);
    };
    QVERIFY(value(Form::likelihood) < value(Form::competitive));
    QVERIFY(value(Form::cooperative) < value(Form::competitive));
  }
  void thePosteriorOfATokenSumsToOneAndFavoursTheCloserExpert() {
    Case c;
    for (std::size_t e = 0; e < kExperts; ++e) c.shares[e] = 1.0 / kExperts;
    for (std::int64_t o = 0; o < kOutputs; ++o)
      c.outputs[static_cast<std::size_t>(o)] = c.values.as<double>()[o];  // expert 0, token 0
    const auto posterior = mixturePosterior(Density::gaussian, c.shares, c.outputs, c.target, kExperts);
    QVERIFY(posterior[0] > posterior[1] && posterior[0] > posterior[2]);
    QVERIFY(std::abs(posterior[0] + posterior[1] + posterior[2] - 1) < 1e-12);
  }
  void aBatchWithoutTargetsHasNoLoss() {
    Case c;
    c.ids.assign(kTokens, -1);
    c.target.ids = c.ids;
    MixtureGradients gradients{std::vector<double>(c.shares.size()), std::vector<double>(c.outputs.size())};
    QCOMPARE(
        mixtureLoss(Form::likelihood, Density::categorical, c.shares, c.outputs, c.target, kExperts, 1, &gradients),
        0.0);
    for (const double gradient : gradients.outputs) QCOMPARE(gradient, 0.0);
  }
};
SWITCHYARD_TEST(MixtureHeadTest)
#include "mixture_head_test.moc"
