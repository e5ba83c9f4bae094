#include "ui/views/alert_row.h"

#include <QPushButton>
#include <QVBoxLayout>

#include "ui/models/run_history.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

const char* const kBiasRate = "0.001";  // the published rate of loss-free balancing
const QString kArrow = QString::fromUtf8(" \u2192 ");

/// Null where nothing can be balanced: no layer has experts, or every token asks them all.
const Recipe* firstRecipe(const RunConfig& config) {
  for (const LayerConfig& layer : config.model.layers)
    if (layer.hasExperts && layer.recipe.select.kind != Recipe::Select::Kind::all) return &layer.recipe;
  return nullptr;
}

}  // namespace

std::vector<Remedy> remediesFor(const RunConfig& config) {
  std::vector<Remedy> all;
  const Recipe* recipe = firstRecipe(config);
  if (!recipe) return all;
  std::size_t term = 0;
  while (term < recipe->balance.size() && recipe->balance[term].kind != Recipe::BalanceTerm::Kind::load) ++term;
  const double now = term < recipe->balance.size() ? recipe->balance[term].coefficient : 0;
  // The usual coefficient is a hundredth; where that is not enough, twice what there is.
  const double raised = now < 0.01 ? 0.01 : 2 * now;
  all.push_back({QObject::tr("Aux coefficient %1").arg(number(now) + kArrow + number(raised)),
                 QObject::tr("Adds coefficient × E × sum of f P to the loss: it pulls the router towards equal loads."),
                 "balance." + std::to_string(term) + ".coefficient", std::to_string(raised)});
  if (!recipe->adjust.selectionBias || recipe->adjust.selectionBias->rate <= 0)
    all.push_back({QObject::tr("Turn on bias balancing"),
                   QObject::tr("Adds a bias to the ranking of each expert, raised by the rate after each step in which "
                               "it got too little. No gradient."),
                   "adjust.selection_bias.rate", kBiasRate});
  return all;
}

AlertRow::AlertRow(const PageContext& context, const Alert& alert, QWidget* parent)
    : QFrame(parent),
      context_(context),
      alert_(alert),
      title_(new QPushButton(this)),
      words_(new ExplainedLabel(context.theme, this)),
      remedies_(new QWidget(this)) {
  setObjectName("alert");
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(8, 5, 6, 6);
  all->setSpacing(3);
  title_->setText(tr("%1, expert %2").arg(layerTitle(alert.layer)).arg(alert.expert));
  title_->setFlat(true);
  title_->setFocusPolicy(Qt::TabFocus);
  title_->setToolTip(tr("Go to this expert"));
  title_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  title_->setObjectName("alertTitle");
  connect(title_, &QPushButton::clicked, this, [this] { Q_EMIT chosen(alert_.layer, alert_.expert); });
  words_->setWordWrap(true);
  words_->setSource([this] {
    std::vector<Explanation> all;
    const RunHistory::Run* run = context_.history.find(alert_.run);
    if (!run || run->columns.empty()) return all;
    for (const LayerPoint& layer : run->columns.pointAt(run->columns.size() - 1).layers)
      if (layer.layer == alert_.layer) all.push_back(explainAlert(alert_, layer.load.size(), run->facts));
    return all;
  });
  auto* buttons = new QVBoxLayout(remedies_);
  buttons->setContentsMargins(0, 2, 0, 0);
  buttons->setSpacing(3);
  all->addWidget(title_);
  all->addWidget(words_);
  all->addWidget(remedies_);
  connect(&context.theme, &Theme::changed, this, &AlertRow::dress);
  dress();
  setAlert(alert);
  setOpen(false);
}

void AlertRow::setAlert(const Alert& alert) {
  alert_ = alert;
  words_->setText(tr("dead since step %1, %2 of its fair share").arg(grouped(alert.since), percent(alert.utilization)));
  if (remedies_->isVisibleTo(this)) buildRemedies();
}

void AlertRow::setOpen(bool open) {
  if (open) buildRemedies();
  remedies_->setVisible(open);
}

void AlertRow::buildRemedies() {
  const SessionStatus& status = context_.session.status();
  if (!status.config || offeredFor_ == status.config) return;
  offeredFor_ = status.config;
  QLayout* buttons = remedies_->layout();
  while (QLayoutItem* item = buttons->takeAt(0)) {
    item->widget()->hide();
    item->widget()->deleteLater();  // the one that was pressed may be among them
    delete item;
  }
  const auto add = [&](const QString& label, const QString& why, const Command& command) {
    auto* button = new QPushButton(label, remedies_);
    button->setToolTip(why);
    button->setFocusPolicy(Qt::TabFocus);  // a click leaves space to play and pause
    connect(button, &QPushButton::clicked, this, [this, command] { context_.session.post(command); });
    buttons->addWidget(button);
    return button;
  };
  for (const Remedy& remedy : remediesFor(*status.config))
    add(remedy.label, remedy.why, command::SetKnob{remedy.path, remedy.value});
  const double step = status.config->alerts.dropoutStep;
  for (QPushButton* restore :
       {add(tr("Back to last healthy"), tr("Goes on from the last checkpoint without an alert, as a fork of this run."),
            command::RestoreHealthy{}),
        add(tr("Back, expert dropout + %1").arg(number(step)),
            tr("The same, and the dropout inside experts is raised, so that the few cannot learn everything so fast."),
            command::RestoreHealthy{step})}) {
    restore->setEnabled(status.hasHealthyCheckpoint);
    connect(&context_.session, &SessionBridge::statusChanged, restore,
            [restore](const SessionStatus& s) { restore->setEnabled(s.hasHealthyCheckpoint); });
  }
}

QString AlertRow::words() const { return title_->text() + ": " + words_->text(); }

QList<QPushButton*> AlertRow::remedies() const {
  QList<QPushButton*> shown;
  for (int i = 0; i < remedies_->layout()->count(); ++i)
    shown << qobject_cast<QPushButton*>(remedies_->layout()->itemAt(i)->widget());
  return shown;
}

void AlertRow::dress() {
  const Colours& c = context_.theme.colours();
  setStyleSheet(
      QString("#alert { background: %1; border: 1px solid %2; border-left: 4px solid %3; border-radius: 3px; }"
              "#alertTitle { text-align: left; font-weight: 600; border: 0; color: %4; padding: 0; }"
              "#alertTitle:hover, #alertTitle:focus { text-decoration: underline; }")
          .arg(c.base.name(), c.border.name(), c.danger.name(), c.text.name()));
}

}  // namespace moe::ui
