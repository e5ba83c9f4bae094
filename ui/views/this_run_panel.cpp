#include "ui/views/this_run_panel.h"

#include <QClipboard>
#include <QFormLayout>
#include <QGuiApplication>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <QShortcut>
#include <QVBoxLayout>

#include "ui/models/run_history.h"
#include "ui/models/run_marks.h"
#include "ui/models/selection.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/widgets/card.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

QString presetLabel(const std::string& id) {
  for (const Preset& preset : presets())
    if (preset.id == id) return QString::fromStdString(preset.label);
  return QString::fromStdString(id);
}

QString dataName(const DataConfig& data) {
  if (data.source.rfind("builtin:", 0) == 0) return QObject::tr("built-in %1").arg(QString::fromStdString(data.source.substr(8)));
  return QString::fromStdString(data.source).section('/', -1);
}

}  // namespace

ThisRunPanel::ThisRunPanel(const PageContext& context, QWidget* parent)
    : QWidget(parent), context_(context), hint_(new EmptyHint(context.theme, tr("What the run is made of appears here once a model is prepared."), this)),
      facts_(new QWidget(this)), form_(new QFormLayout(facts_)), twin_(new QPushButton(this)), events_(new QListWidget(this)) {
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(8, 4, 8, 4);
  all->addWidget(hint_);
  all->addWidget(facts_);
  all->addWidget(twin_);
  auto* heading = new QLabel(tr("Events"), this);
  heading->setObjectName("heading");
  all->addWidget(heading);
  all->addWidget(events_, 1);
  form_->setContentsMargins(0, 0, 0, 0);
  form_->setRowWrapPolicy(QFormLayout::WrapLongRows);
  addFact("name", tr("run"), tr("Name of the run; it can be changed on the Runs page."));
  addFact("preset", tr("preset"), tr("What the recipe began from."));
  addFact("total", tr("total"), tr("Parameters of the whole model."));
  addFact("active", tr("active"), tr("Parameters one token passes: all but the experts not chosen."));
  addFact("flops", tr("work"), tr("Floating-point operations a token in training: forward and backward, two a multiply-add."));
  addFact("memory", tr("memory"), tr("Predicted peak memory of training: weights, gradients, optimizer and activations."));
  addFact("seed", tr("seed"), tr("With the same seed and thread count every number comes out the same."));
  addFact("backend", tr("backend"), tr("What does the mathematics, its number type and its threads."));
  addFact("data", tr("data"), tr("The text the model is trained on; its last tenth is held out for validation."));

  twin_->setToolTip(tr("Trains the dense model of equal active parameters beside this one: same data, same seed, from step 0."));
  twin_->setFocusPolicy(Qt::TabFocus);
  connect(twin_, &QPushButton::clicked, this, [this] {
    if (context_.session.status().twin != 0)
      context_.session.post(command::CloseTwin{});
    else
      context_.session.post(command::StartTwin{});
  });
  events_->setWordWrap(true);
  events_->setMinimumHeight(90);
  events_->setAccessibleName(tr("Events of the run"));
  connect(events_, &QListWidget::itemActivated, this, [this](QListWidgetItem* item) { context_.selection.setStep(item->data(Qt::UserRole).toLongLong()); });
  connect(events_, &QListWidget::itemClicked, events_, &QListWidget::itemActivated);
  auto* copy = new QShortcut(QKeySequence::Copy, events_, this, [this] {
    QStringList lines;
    for (int i = 0; i < events_->count(); ++i) lines << events_->item(i)->text();
    QGuiApplication::clipboard()->setText(lines.join('\n'));
  });
  copy->setContext(Qt::WidgetShortcut);

  connect(&context.session, &SessionBridge::statusChanged, this, &ThisRunPanel::follow);
  connect(&context.history, &RunHistory::eventsAdded, this, &ThisRunPanel::showEvents);
  connect(&context.history, &RunHistory::runsChanged, this, [this] {
    showEvents();
    follow(context_.session.status());
  });
  connect(&context.theme, &Theme::changed, this, &ThisRunPanel::dress);
  dress();
  follow(context.session.status());
  showEvents();
}

void ThisRunPanel::addFact(const QString& id, const QString& name, const QString& tip) {
  auto* label = new QLabel(name, facts_);
  auto* value = new QLabel(facts_);
  value->setWordWrap(true);
  value->setTextFormat(Qt::PlainText);
  value->setTextInteractionFlags(Qt::TextSelectableByMouse);
  for (QLabel* part : {label, value}) part->setToolTip(tip);
  label->setObjectName("name");
  form_->addRow(label, value);
  values_[id] = value;
}

QString ThisRunPanel::fact(const QString& id) const { return values_.at(id)->text(); }

void ThisRunPanel::follow(const SessionStatus& status) {
  const bool any = status.run != 0 && status.config.has_value();
  hint_->setVisible(!any);
  facts_->setVisible(any);
  twin_->setText(status.twin != 0 ? tr("Stop the dense twin") : tr("Compare with dense"));
  twin_->setEnabled(any);
  if (!any) return;
  const RunConfig& config = *status.config;
  const auto put = [this](const QString& id, const QString& text) {
    if (values_.at(id)->text() != text) values_.at(id)->setText(text);
  };
  const RunHistory::Run* run = context_.history.mainRun();
  put("name", run && !run->summary.name.empty() ? QString::fromStdString(run->summary.name) : tr("run %1").arg(status.run));
  put("preset", config.preset.empty() ? tr("own recipe") : presetLabel(config.preset));
  if (status.size) {
    put("total", tr("%1 parameters").arg(shortCount(static_cast<double>(status.size->totalParameters))));
    put("active", tr("%1 a token").arg(shortCount(static_cast<double>(status.size->activeParameters))));
    put("flops", tr("%1 a token").arg(flops(status.size->flopsPerToken)));
  }
  put("memory", bytes(predictedMemory(config)));
  put("seed", QString::number(config.seed));
  put("backend", QString::fromStdString(status.backend));
  put("data", dataName(config.data));
}

void ThisRunPanel::showEvents() {
  events_->clear();
  const RunHistory::Run* run = context_.history.mainRun();
  if (!run) return;
  for (auto event = run->events.rbegin(); event != run->events.rend(); ++event) {
    auto* item = new QListWidgetItem(tr("%1  %2").arg(grouped(event->step), sentenceOf(*event)), events_);
    item->setData(Qt::UserRole, static_cast<qlonglong>(event->step));
    item->setToolTip(tr("Step %1: press to go there").arg(grouped(event->step)));
  }
}

void ThisRunPanel::dress() {
  const Colours& c = context_.theme.colours();
  facts_->setStyleSheet(QString("QLabel#name { color: %1; }").arg(c.muted.name()));
  form_->setVerticalSpacing(context_.theme.gap() / 2 + 1);
  form_->setHorizontalSpacing(2 * context_.theme.gap());
}

QWidget* makeThisRunPanel(const PageContext& context, QWidget* parent) { return new ThisRunPanel(context, parent); }

}  // namespace moe::ui
