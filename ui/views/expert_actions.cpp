#include "ui/views/expert_actions.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDialog>
#include <QDialogButtonBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QSpinBox>
#include <algorithm>

#include "ui/session/session_bridge.h"
#include "ui/views/page_context.h"

namespace moe::ui {

namespace {

/// Null where the layer has no experts.
const Recipe* recipeOf(const RunConfig& config, int layer) {
  if (layer < 0 || layer >= static_cast<int>(config.model.layers.size())) return nullptr;
  const LayerConfig& found = config.model.layers[static_cast<std::size_t>(layer)];
  return found.hasExperts ? &found.recipe : nullptr;
}

void addAct(QMenu& menu, const QString& text, const PageContext& context, QWidget* parent, const Command& command) {
  QAction* action = menu.addAction(text);
  QObject::connect(action, &QAction::triggered, parent,
                   [&session = context.session, command] { session.post(command); });
}

}  // namespace

void addExpertActions(QMenu& menu, const PageContext& context, int layer, int expert, QWidget* parent) {
  const auto& config = context.session.status().config;
  const Recipe* recipe = config ? recipeOf(*config, layer) : nullptr;
  if (!recipe || expert >= recipe->experts.count) return;
  const ExpertPlace place{layer, expert};
  const bool frozen = std::ranges::find(config->train.frozenExperts, place) != config->train.frozenExperts.end();
  addAct(menu,
         frozen ? QObject::tr("Let expert %1 of layer %2 learn again").arg(expert).arg(layer)
                : QObject::tr("Freeze expert %1 of layer %2").arg(expert).arg(layer),
         context, parent, command::SetKnob{"train.frozen_experts", withExpertFrozen(config->train, place, !frozen)});
  ExpertSurgery remove{.kind = ExpertSurgery::Kind::remove, .layer = layer, .expert = expert};
  addAct(menu, QObject::tr("Remove expert %1 of layer %2, as a fork").arg(expert).arg(layer), context, parent,
         command::OperateExperts{remove});
  QAction* add = menu.addAction(QObject::tr("Add experts…"));
  QObject::connect(add, &QAction::triggered, parent,
                   [&context, layer, parent] { showExpertsDialog(context, layer, parent); });
}

QDialog* showExpertsDialog(const PageContext& context, int layer, QWidget* parent) {
  const auto& config = context.session.status().config;
  auto* dialog = new QDialog(parent);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setObjectName("addExperts");
  dialog->setWindowTitle(QObject::tr("Add experts"));
  auto* form = new QFormLayout(dialog);

  auto* where = new QComboBox(dialog);
  where->addItem(QObject::tr("every expert layer"), ExpertSurgery::kAllLayers);
  bool ranked = false;  // the cold start replaces a ranked slot
  if (config)
    for (int i = 0; i < static_cast<int>(config->model.layers.size()); ++i)
      if (const Recipe* recipe = recipeOf(*config, i)) {
        where->addItem(QObject::tr("layer %1 (%2 experts)").arg(i).arg(recipe->experts.count), i);
        ranked = recipe->select.kind == Recipe::Select::Kind::topK;
      }
  where->setCurrentIndex(std::max(0, where->findData(layer)));
  auto* count = new QSpinBox(dialog);
  count->setRange(1, 256);
  auto* from = new QComboBox(dialog);
  from->addItem(QObject::tr("copies of the busiest"));
  from->addItem(QObject::tr("fresh"));
  from->setToolTip(QObject::tr(
      "A copy answers as the busiest does and takes over part of its tokens; a fresh one has everything to learn."));
  auto* noise = new QDoubleSpinBox(dialog);
  noise->setRange(0, 10);
  noise->setDecimals(3);
  noise->setSingleStep(0.01);
  noise->setValue(ExpertSurgery{}.noise);
  noise->setSuffix(QObject::tr(" × deviation"));
  noise->setToolTip(
      QObject::tr("Standard deviation of what is added to a copy, as a share of its weights' own; without any, ties go "
                  "to the lower expert."));
  auto* cold = new QCheckBox(QObject::tr("Send tokens to them at first"), dialog);
  cold->setToolTip(
      QObject::tr("Cold start: a share of the tokens has its last choice replaced by a new expert (select.force)."));
  auto* share = new QSpinBox(dialog);
  share->setRange(0, 100);
  share->setSuffix(QObject::tr(" % of tokens"));
  share->setValue(static_cast<int>(100 * ExpertSurgery{}.fraction));
  auto* steps = new QSpinBox(dialog);
  steps->setRange(0, 100'000'000);
  steps->setSuffix(QObject::tr(" steps"));
  steps->setValue(static_cast<int>(ExpertSurgery{}.steps));
  cold->setChecked(ranked);
  cold->setEnabled(ranked);
  for (QSpinBox* box : {share, steps}) {
    box->setEnabled(ranked);
    QObject::connect(cold, &QCheckBox::toggled, box, &QWidget::setEnabled);
  }
  QObject::connect(from, &QComboBox::currentIndexChanged, noise, [noise](int index) { noise->setEnabled(index == 0); });

  form->addRow(QObject::tr("Where"), where);
  form->addRow(QObject::tr("How many"), count);
  form->addRow(QObject::tr("From"), from);
  form->addRow(QObject::tr("Noise"), noise);
  form->addRow(cold);
  form->addRow(QObject::tr("Share"), share);
  form->addRow(QObject::tr("For"), steps);
  auto* words =
      new QLabel(QObject::tr("The run goes on as a fork with the larger model; this one stays as it is."), dialog);
  words->setWordWrap(true);
  form->addRow(words);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Ok | QDialogButtonBox::Cancel, dialog);
  buttons->button(QDialogButtonBox::Ok)->setText(QObject::tr("Add"));
  buttons->button(QDialogButtonBox::Ok)->setEnabled(where->count() > 1);
  form->addRow(buttons);
  QObject::connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::reject);
  QObject::connect(buttons, &QDialogButtonBox::accepted, dialog, [=, &session = context.session] {
    ExpertSurgery surgery;
    surgery.layer = where->currentData().toInt();
    surgery.count = count->value();
    surgery.from = from->currentIndex() == 0 ? ExpertSurgery::From::busiest : ExpertSurgery::From::fresh;
    surgery.noise = noise->value();
    surgery.coldStart = cold->isChecked();
    surgery.fraction = share->value() / 100.0;
    surgery.steps = steps->value();
    session.post(command::OperateExperts{surgery});
    dialog->accept();
  });
  dialog->show();
  return dialog;
}

}  // namespace moe::ui
