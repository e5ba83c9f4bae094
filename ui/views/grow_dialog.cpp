#include "ui/views/grow_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>
#include <algorithm>

#include "core/base/error.h"
#include "core/explain/run_facts.h"
#include "core/model/upcycle.h"
#include "ui/session/session_bridge.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

const Recipe* recipeOf(const RunConfig& config) {
  for (const LayerConfig& layer : config.model.layers)
    if (layer.hasExperts) return &layer.recipe;
  return nullptr;
}

/// Whether a recipe's experts may be a dense network's copies.
bool growable(const RunConfig& config) {
  const Recipe* recipe = recipeOf(config);
  return recipe && recipe->head.kind == Recipe::Head::Kind::linear && recipe->experts.hidden.size() == 1;
}

QSpinBox* counter(int least, int most, const QString& tip, QWidget* parent) {
  auto* box = new QSpinBox(parent);
  box->setRange(least, most);
  box->setToolTip(tip);
  return box;
}

}  // namespace

bool canGrow(const ListedRun& run) {
  if (run.checkpoints == 0) return false;
  const std::optional<RunConfig> config = configFromText(run.summary.config);
  return config && !isRouted(config->model);
}

GrowDialog::GrowDialog(const PageContext& context, std::shared_ptr<const StoredRun> dense, QWidget* parent)
    : QDialog(parent),
      context_(context),
      run_(std::move(dense)),
      dense_(configFromText(run_->summary.config).value_or(RunConfig{})),
      checkpoint_(*std::max_element(run_->checkpoints.begin(), run_->checkpoints.end(),
                                    [](const CheckpointRow& a, const CheckpointRow& b) { return a.step < b.step; })),
      recipe_(new QComboBox(this)),
      kind_(new QComboBox(this)),
      experts_(counter(2, 256, tr("Experts in each layer that has them."), this)),
      perToken_(counter(1, 256, tr("Experts each token passes: k."), this)),
      steps_(counter(1, 100'000'000, tr("Optimiser steps of the new run; its schedule begins anew."), this)),
      noise_(new QDoubleSpinBox(this)),
      words_(new QLabel(this)) {
  setWindowTitle(tr("Grow into experts"));
  setAttribute(Qt::WA_DeleteOnClose);
  auto* about = new QLabel(tr("Every expert begins as “%1” at step %2; embedding, attention, norms and head are taken "
                              "over as they are, and the router is drawn anew.")
                               .arg(shown(run_->summary.name), grouped(checkpoint_.step)),
                           this);
  about->setWordWrap(true);
  words_->setWordWrap(true);
  words_->setMinimumWidth(440);
  kind_->addItem(tr("a copy of the dense network"));
  kind_->addItem(tr("a slice of its hidden units"));
  kind_->setToolTip(tr("A copy has all hidden units of its layer's network; slices share them out."));
  noise_->setRange(0, 10);
  noise_->setDecimals(3);
  noise_->setSingleStep(0.01);
  noise_->setSuffix(tr(" × deviation"));
  noise_->setToolTip(
      tr("Standard deviation of what is added to every weight, as a share of that of the dense weights. With 0 copies "
         "differ only by where the router sends tokens."));
  auto* form = new QFormLayout;
  form->addRow(tr("Recipe"), recipe_);
  form->addRow(tr("Experts"), experts_);
  form->addRow(tr("Experts a token"), perToken_);
  form->addRow(tr("Each expert is"), kind_);
  form->addRow(tr("Noise"), noise_);
  form->addRow(tr("Steps"), steps_);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
  start_ = buttons->addButton(tr("Start new run"), QDialogButtonBox::AcceptRole);
  start_->setDefault(true);
  auto* all = new QVBoxLayout(this);
  all->addWidget(about);
  all->addLayout(form);
  all->addWidget(words_);
  all->addWidget(buttons);

  fillRecipes();
  takeRecipe();
  connect(buttons, &QDialogButtonBox::accepted, this, &GrowDialog::start);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(recipe_, &QComboBox::currentIndexChanged, this, &GrowDialog::takeRecipe);
  connect(kind_, &QComboBox::currentIndexChanged, this, &GrowDialog::check);
  for (QSpinBox* box : {experts_, perToken_, steps_}) connect(box, &QSpinBox::valueChanged, this, &GrowDialog::check);
  connect(noise_, &QDoubleSpinBox::valueChanged, this, &GrowDialog::check);
}

void GrowDialog::fillRecipes() {
  const auto add = [this](const QString& name, RunConfig config) {
    if (!growable(config)) return;
    recipes_.push_back(std::move(config));
    recipe_->addItem(name);
  };
  int chosen = 0;
  if (const std::optional<RunConfig>& present = context_.session.status().config)
    add(tr("the present recipe"), *present);
  for (const Preset& preset : presets()) {
    const RunConfig config = runConfigOfPreset(preset.id);
    // The preset whose experts are made this way anyway is the one to begin with.
    if (growable(config) && recipeOf(config)->experts.init != Recipe::Experts::Init::random) chosen = recipe_->count();
    add(QString::fromStdString(preset.label), config);
  }
  recipe_->setCurrentIndex(chosen);
}

void GrowDialog::takeRecipe() {
  const RunConfig& config = recipes_[static_cast<std::size_t>(recipe_->currentIndex())];
  const Recipe& recipe = *recipeOf(config);
  for (QObject* field : std::initializer_list<QObject*>{experts_, perToken_, steps_, kind_, noise_})
    field->blockSignals(true);
  experts_->setValue(recipe.experts.count);
  perToken_->setValue(recipe.slotsPerToken());
  perToken_->setEnabled(recipe.select.kind == Recipe::Select::Kind::topK);
  steps_->setValue(static_cast<int>(std::min<std::int64_t>(config.train.steps, steps_->maximum())));
  kind_->setCurrentIndex(recipe.experts.init == Recipe::Experts::Init::denseSlice ? 1 : 0);
  noise_->setValue(recipe.experts.initNoise);
  for (QObject* field : std::initializer_list<QObject*>{experts_, perToken_, steps_, kind_, noise_})
    field->blockSignals(false);
  check();
}

RunConfig GrowDialog::wanted() const {
  RunConfig config = recipes_[static_cast<std::size_t>(recipe_->currentIndex())];
  config.seed = dense_.seed;
  config.threads = dense_.threads;
  config.backend = dense_.backend;
  config.computeType = dense_.computeType;
  config.label = tr("%1, grown").arg(QString::fromStdString(run_->summary.name)).toStdString();
  setByPath(config, "train.steps", std::to_string(steps_->value()));
  setByPath(config, "experts.count", std::to_string(experts_->value()));
  setByPath(config, "experts.init.kind", kind_->currentIndex() == 1 ? "dense_slice" : "dense_copy");
  setByPath(config, "experts.init.noise", std::to_string(noise_->value()));
  if (perToken_->isEnabled()) setByPath(config, "select.k", std::to_string(perToken_->value()));
  return grownFromDense(std::move(config), dense_, checkpoint_.path);
}

void GrowDialog::check() {
  const RunConfig config = wanted();
  std::vector<Problem> found = problems(config);
  if (found.empty()) found = upcyclingProblems(config.model, dense_.model);
  start_->setEnabled(found.empty());
  if (!found.empty()) return words_->setText(QString::fromStdString(found.front().sentence));
  const ModelSize size = sizeOf(config), before = sizeOf(dense_);
  words_->setText(
      tr("%1 experts of %2 hidden units in %3 of %4 layers: %5 parameters, %6 a token (the dense model has %7).")
          .arg(grouped(experts_->value()), grouped(recipeOf(config)->hiddenOf(0)))
          .arg(std::count_if(config.model.layers.begin(), config.model.layers.end(),
                             [](const LayerConfig& layer) { return layer.hasExperts; }))
          .arg(config.model.layers.size())
          .arg(shortCount(static_cast<double>(size.totalParameters)),
               shortCount(static_cast<double>(size.activeParameters)),
               shortCount(static_cast<double>(before.totalParameters))));
}

void GrowDialog::start() {
  context_.session.post(command::Start{.config = wanted(), .parent = run_->summary.id, .parentStep = checkpoint_.step});
  accept();
}

}  // namespace moe::ui
