#include <cmath>
#include <functional>

#include "core/backend/backend.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

using Edit = std::function<void(ModelConfig&)>;

ModelConfig smallModel(const Edit& edit) {
  ModelConfig config = test::tinyConfig().model;
  config.vocabulary = 11;
  config.initDeviation = 0.4;  // far from the flat start, so that every gradient is worth comparing
  edit(config);
  return config;
}

void forRecipes(ModelConfig& config, const std::function<void(Recipe&)>& edit) {
  for (LayerConfig& layer : config.layers) edit(layer.recipe);
}

void makeMixture(ModelConfig& config, ExpertKind kind, const std::vector<Recipe::Head::Loss>& losses) {
  forRecipes(config, [&](Recipe& recipe) {
    recipe.experts.kind = kind;
    recipe.experts.bias = true;
    recipe.select.kind = Recipe::Select::Kind::all;
    recipe.weigh.kind = Recipe::Weigh::Kind::score;
    recipe.balance.clear();
    recipe.head = {.kind = Recipe::Head::Kind::mixture, .losses = losses};
  });
}

/// Largest relative error of the gradient against central differences over a sample of every segment's entries.
double worstError(const ModelConfig& config, double lossScale, std::string& worstName) {
  const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f64});
  Model model(*backend, config, DType::f64, true);
  model.initialise(3);
  for (std::size_t layer = 0; layer < config.layers.size(); ++layer) {
    std::vector<float> bias = model.selectionBias(layer);
    for (std::size_t e = 0; e < bias.size(); ++e) bias[e] = 0.05f * static_cast<float>(e);
    model.setSelectionBias(layer, bias);
  }
  const Batch batch = test::tinyBatch(2, 5, config.vocabulary);
  PassSettings settings;
  settings.step = 4;
  settings.totalSteps = 20;
  settings.seed = 9;
  // Norm gains and biases move off their flat start too.
  int count = 0;
  for (const Parameter& parameter : model.parameters().all())
    if (parameter.value.shape.rank() == 1)
      for (double& value : parameter.value.span<double>()) value += 0.1 * std::sin(1.0 + ++count);
  model.forwardBackward(batch, settings, lossScale);
  const auto objective = [&] {
    const LossSums sums = model.forward(batch, settings);
    return lossScale * (sums.objective / static_cast<double>(sums.targets) + sums.auxLoss + sums.zLoss);
  };
  double worst = 0;
  for (const Parameter& parameter : model.parameters().all()) {
    const std::int64_t n = parameter.value.elements(), stride = std::max<std::int64_t>(1, n / 7);
    double scale = 0;  // of the segment's gradient: single entries may be nearly zero
    for (double gradient : parameter.gradient.span<double>()) scale = std::max(scale, std::abs(gradient));
    if (scale == 0) {
      worstName = parameter.name + " has no gradient";
      return 1;
    }
    for (std::int64_t i = stride / 2; i < n; i += stride) {
      double& value = parameter.value.as<double>()[i];
      const double kept = value, step = 1e-5;
      value = kept + step;
      const double up = objective();
      value = kept - step;
      const double down = objective();
      value = kept;
      const double error = std::abs((up - down) / (2 * step) - parameter.gradient.as<double>()[i]) / scale;
      if (error > worst) {
        worst = error;
        worstName = parameter.name;
      }
    }
  }
  return worst;
}

}  // namespace

class ModelGradientTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theWholeModelsGradientAgreesWithCentralDifferences_data() {
    QTest::addColumn<int>("which");
    for (int i = 0; i < static_cast<int>(cases().size()); ++i)
      QTest::newRow(cases()[static_cast<std::size_t>(i)].first) << i;
  }
  void theWholeModelsGradientAgreesWithCentralDifferences() {
    QFETCH(int, which);
    std::string name;
    const double error = worstError(smallModel(cases()[static_cast<std::size_t>(which)].second), 0.5, name);
    // Central differences of step 1e-5 in f64 are good to about 1e-9 of the largest entry; 1e-6 leaves room for
    // curvature.
    QVERIFY2(error <= 1e-6, (name + ": " + std::to_string(error)).c_str());
  }
  void gradientsOfTwoPassesAdd() {
    const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f64});
    const ModelConfig config = smallModel([](ModelConfig&) {});
    Model model(*backend, config, DType::f64, true);
    model.initialise(3);
    const Batch batch = test::tinyBatch(2, 5, config.vocabulary);
    model.forwardBackward(batch, {}, 1);
    std::vector<std::vector<double>> once;
    for (const Parameter& parameter : model.parameters().all()) {
      const auto gradient = parameter.gradient.span<double>();
      once.emplace_back(gradient.begin(), gradient.end());
    }
    model.forwardBackward(batch, {}, 1);
    for (std::size_t p = 0; p < once.size(); ++p)
      for (std::size_t i = 0; i < once[p].size(); ++i)
        QVERIFY(std::abs(model.parameters().all()[p].gradient.as<double>()[i] - 2 * once[p][i]) <=
                1e-12 * (1 + std::abs(once[p][i])));
  }

 private:
  static const std::vector<std::pair<const char*, Edit>>& cases() {
    static const std::vector<std::pair<const char*, Edit>> all = {
        {"top-2, rope", [](ModelConfig&) {}},
        {"dense, learned positions, tied head",
         [](ModelConfig& config) {
           config.positions = Positions::learned;
           config.tiedHead = true;
           for (LayerConfig& layer : config.layers) layer.hasExperts = false;
         }},
        {"dense mlp with biases, layer norm, grouped keys",
         [](ModelConfig& config) {
           config.norm = NormKind::layer;
           for (LayerConfig& layer : config.layers) {
             layer.hasExperts = false;
             layer.attention.kvHeads = 1;
             layer.dense = {.kind = ExpertKind::mlp, .activation = Activation::gelu, .hidden = 9, .bias = true};
           }
         }},
        {"aux, z, shared with token gate, biases, layer norm",
         [](ModelConfig& config) {
           config.norm = NormKind::layer;
           forRecipes(config, [](Recipe& recipe) {
             recipe.experts.bias = true;
             recipe.logits.bias = true;
             recipe.combine.shared = Recipe::Combine::Shared{.count = 2, .hidden = 3, .tokenGate = true};
             recipe.balance.push_back({.name = "z", .kind = Recipe::BalanceTerm::Kind::z, .coefficient = 0.02});
           });
         }},
        {"sigmoid, groups, selection bias, sequence loss, first layer dense, tied",
         [](ModelConfig& config) {
           config.tiedHead = true;
           config.layers[0].hasExperts = false;
           forRecipes(config, [](Recipe& recipe) {
             recipe.score = Recipe::Score::sigmoid;
             recipe.adjust.selectionBias.emplace();
             recipe.adjust.expertGroups =
                 Recipe::Adjust::ExpertGroups{.count = 2, .keep = 1, .by = Recipe::Adjust::ExpertGroups::By::top2Sum};
             recipe.weigh.scale = 2.5;
             recipe.balance[0].scope = Recipe::BalanceTerm::Scope::sequence;
             recipe.balance[0].countsFrom = Recipe::BalanceTerm::CountsFrom::unadjusted;
           });
         }},
        {"experts read the state before attention, dense residual beside them",
         [](ModelConfig& config) {
           forRecipes(config, [](Recipe& recipe) {
             recipe.block.moeReads = Recipe::Block::MoeReads::preAttention;
             recipe.combine.denseResidual = Recipe::Combine::DenseResidual{.hidden = 5};
           });
         }},
        {"jitter, learned noise, expert dropout, capacity",
         [](ModelConfig& config) {
           forRecipes(config, [](Recipe& recipe) {
             recipe.perturb.inputJitter = 0.1;
             recipe.perturb.noise = Recipe::Perturb::Noise::learned;
             recipe.combine.expertDropout = 0.3;
             recipe.capacity.factor = 1.5;
           });
         }},
        {"top-1 by score, balance over all layers together",
         [](ModelConfig& config) {
           forRecipes(config, [](Recipe& recipe) {
             recipe.select.k = 1;
             recipe.weigh.kind = Recipe::Weigh::Kind::score;
             recipe.balance[0].layers = Recipe::BalanceTerm::Layers::concatenated;
           });
         }},
        {"experts of different sizes and biases, CV^2 terms over noise",
         [](ModelConfig& config) {
           forRecipes(config, [](Recipe& recipe) {
             recipe.perturb.noise = Recipe::Perturb::Noise::learned;
             recipe.perturb.noiseEpsilon = 0.01;
             recipe.experts.kind = ExpertKind::mlp;
             recipe.experts.activation = Activation::geluTanh;
             recipe.experts.hidden = {3, 6, 4, 5};
             recipe.experts.bias = true;
             recipe.weigh.kind = Recipe::Weigh::Kind::softmaxSelected;
             recipe.balance = {
                 {.name = "importance", .kind = Recipe::BalanceTerm::Kind::importanceCv2, .coefficient = 0.2},
                 {.name = "load", .kind = Recipe::BalanceTerm::Kind::loadCv2, .coefficient = 0.2}};
           });
         }},
        {"clamped GLU, weight on the input, entropy term, Gaussian noise",
         [](ModelConfig& config) {
           forRecipes(config, [](Recipe& recipe) {
             recipe.perturb.noise = Recipe::Perturb::Noise::gaussian;
             recipe.perturb.sigma = 0.5;
             recipe.experts.kind = ExpertKind::clampedGlu;
             recipe.experts.limit = 1.5;
             recipe.experts.bias = true;
             recipe.select.k = 1;
             recipe.weigh.kind = Recipe::Weigh::Kind::score;
             recipe.weigh.appliesTo = Recipe::Weigh::AppliesTo::input;
             recipe.balance.push_back(
                 {.name = "entropy", .kind = Recipe::BalanceTerm::Kind::entropy, .coefficient = 0.1});
           });
         }},
        {"mixture head, likelihood, dense layers",
         [](ModelConfig& config) {
           makeMixture(config, ExpertKind::linear, {{"likelihood", Recipe::Head::Form::likelihood, 1}});
           for (LayerConfig& layer : config.layers) layer.hasExperts = false;
         }},
        {"mixture head of GLUs, all three forms and terms of balance, over layers of experts",
         [](ModelConfig& config) {
           makeMixture(config, ExpertKind::glu,
                       {{"likelihood", Recipe::Head::Form::likelihood, 0.7},
                        {"competitive", Recipe::Head::Form::competitive, 0.4},
                        {"cooperative", Recipe::Head::Form::cooperative, 0.5}});
           forRecipes(config, [](Recipe& recipe) {
             recipe.balance = {
                 {.name = "importance", .kind = Recipe::BalanceTerm::Kind::importanceCv2, .coefficient = 0.2},
                 {.name = "z", .kind = Recipe::BalanceTerm::Kind::z, .coefficient = 0.02}};
           });
         }},
        {"mixture head, cooperative, router with bias and noise",
         [](ModelConfig& config) {
           makeMixture(config, ExpertKind::linear, {{"cooperative", Recipe::Head::Form::cooperative, 1}});
           config.layers[0].hasExperts = false;
           forRecipes(config, [](Recipe& recipe) {
             recipe.logits.bias = true;
             recipe.perturb.noise = Recipe::Perturb::Noise::learned;
             recipe.perturb.inputJitter = 0.1;
           });
         }},
        {"experts choose their tokens",
         [](ModelConfig& config) {
           forRecipes(config, [](Recipe& recipe) {
             recipe.select.kind = Recipe::Select::Kind::expertChoice;
             recipe.weigh.kind = Recipe::Weigh::Kind::score;
             recipe.capacity.factor = 2.0;
             recipe.balance.clear();
           });
         }},
    };
    return all;
  }
};
SWITCHYARD_TEST(ModelGradientTest)
#include "gradient_test.moc"
