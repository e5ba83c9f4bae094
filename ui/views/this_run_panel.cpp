#include "ui/views/this_run_panel.h"

#include <QClipboard>
#include <QFormLayout>
#include <QGuiApplication>
#include <QLabel>
#include <QListWidget>
#include <QShortcut>
#include <QVBoxLayout>
#include <cmath>

#include "core/base/utf8.h"
#include "core/explain/run_facts.h"
#include "core/telemetry/layer_counts.h"
#include "ui/models/run_history.h"
#include "ui/models/run_marks.h"
#include "ui/models/selection.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/widgets/card.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

QString presetLabel(const std::string& id) {
  for (const Preset& preset : presets())
    if (preset.id == id) return QString::fromStdString(preset.label);
  return QString::fromStdString(id);
}

QString dataName(const DataConfig& data) {
  if (data.source.rfind("builtin:", 0) == 0)
    return QObject::tr("built-in %1").arg(QString::fromStdString(data.source.substr(8)));
  return QString::fromStdString(shownName(data.source)).section('/', -1);
}

}  // namespace

ThisRunPanel::ThisRunPanel(const PageContext& context, QWidget* parent)
    : QWidget(parent),
      context_(context),
      hint_(new EmptyHint(context.theme, tr("What the run is made of appears here once a model is prepared."), this)),
      facts_(new QWidget(this)),
      form_(new QFormLayout(facts_)),
      events_(new QListWidget(this)) {
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(8, 4, 8, 4);
  all->addWidget(hint_);
  all->addWidget(facts_);
  auto* heading = new QLabel(tr("Events"), this);
  heading->setObjectName("heading");
  all->addWidget(heading);
  all->addWidget(events_, 1);
  form_->setContentsMargins(0, 0, 0, 0);
  form_->setRowWrapPolicy(QFormLayout::WrapLongRows);
  addFact("name", tr("run"), tr("Name of the run; it can be changed on the Runs page."));
  addFact("preset", tr("preset"), tr("What the recipe began from."));
  const auto one = [](ModelQuantity quantity) {
    return
        [quantity](const RunHistory::Run& run, const StepPoint&) { return std::vector{explain(quantity, run.facts)}; };
  };
  addFact("total", tr("total"), tr("Parameters of the whole model."), one(ModelQuantity::totalParameters));
  addFact("active", tr("active"), tr("Parameters one token passes: all but the experts not chosen."),
          one(ModelQuantity::activeParameters));
  addFact("flops", tr("work"),
          tr("Floating-point operations a token in training: forward and backward, two a multiply-add."),
          one(ModelQuantity::flops));
  addFact(
      "balance", tr("balance"),
      tr("Each balance term on one scale where 1 is perfect balance, then its raw value and whose convention that is."),
      [](const RunHistory::Run& run, const StepPoint& point) {
        std::vector<Explanation> all;
        for (std::size_t i = 0; i < run.facts.terms.size(); ++i) all.push_back(explainTerm(point, i, run.facts));
        return all;
      });
  addFact("pull", tr("balancer"),
          tr("Gradient of the balance terms on the router, as a share of the language loss's: the least and the most "
             "of the layers."),
          [this](const RunHistory::Run& run, const StepPoint&) {
            const StepPoint point = balancerPoint();
            std::vector<Explanation> all;
            for (const LayerPoint& layer : point.layers)
              all.push_back(explain(Metric::balanceGradient, layer, point.step, run.facts));
            return all;
          });
  addFact(
      "routed", tr("routed"),
      tr("What a token of the newest step really passed, mean over its tokens: the experts it was admitted to, by "
         "their sizes. Differs from the line above where experts differ in size, tokens are dropped, or their number "
         "varies."),
      [this](const RunHistory::Run& run, const StepPoint&) {
        std::vector<Explanation> all;
        if (const auto& routed = context_.session.status().routedSize)
          all.push_back(explainRouted(static_cast<double>(routed->activeParameters), routed->flopsPerToken, run.facts));
        return all;
      });
  addFact("memory", tr("memory"),
          tr("Peak memory of training, predicted and so far measured: weights, gradients, optimizer, activations, and "
             "a checkpoint being written."),
          [this](const RunHistory::Run&, const StepPoint&) {
            const SessionStatus& status = context_.session.status();
            if (!status.config) return std::vector<Explanation>{};
            return std::vector<Explanation>{explain(ModelQuantity::memory, factsOf(*status.config, status.text))};
          });
  addFact("seed", tr("seed"), tr("With the same seed and thread count every number comes out the same."));
  addFact("backend", tr("backend"), tr("What does the mathematics, its number type and its threads."));
  addFact("data", tr("data"), tr("The text the model is trained on; its last tenth is held out for validation."));

  events_->setWordWrap(true);
  events_->setMinimumHeight(90);
  events_->setAccessibleName(tr("Events of the run"));
  connect(events_, &QListWidget::itemActivated, this,
          [this](QListWidgetItem* item) { context_.selection.setStep(item->data(Qt::UserRole).toLongLong()); });
  connect(events_, &QListWidget::itemClicked, events_, &QListWidget::itemActivated);
  auto* copy = new QShortcut(QKeySequence::Copy, events_, this, [this] {
    QStringList lines;
    for (int i = 0; i < events_->count(); ++i) lines << events_->item(i)->text();
    QGuiApplication::clipboard()->setText(lines.join('\n'));
  });
  copy->setContext(Qt::WidgetShortcut);

  connect(&context.session, &SessionBridge::statusChanged, this, &ThisRunPanel::follow);
  connect(&context.history, &RunHistory::eventsAdded, this, &ThisRunPanel::showEvents);
  connect(&context.history, &RunHistory::pointsAdded, this, &ThisRunPanel::showBalance);
  connect(&context.history, &RunHistory::runsChanged, this, [this] {
    showEvents();
    follow(context_.session.status());
  });
  connect(&context.theme, &Theme::changed, this, &ThisRunPanel::dress);
  dress();
  follow(context.session.status());
  showEvents();
}

void ThisRunPanel::addFact(const QString& id, const QString& name, const QString& tip,
                           std::function<std::vector<Explanation>(const RunHistory::Run&, const StepPoint&)> source) {
  auto* label = new QLabel(name, facts_);
  QLabel* value = nullptr;
  if (source) {
    auto* explained = new ExplainedLabel(context_.theme, facts_);
    explained->setSource([this, source = std::move(source)] {
      const RunHistory::Run* run = context_.history.mainRun();
      return run ? source(*run, newest()) : std::vector<Explanation>{};
    });
    value = explained;
  } else {
    value = new QLabel(facts_);
    value->setTextInteractionFlags(Qt::TextSelectableByMouse);
  }
  value->setWordWrap(true);
  value->setTextFormat(Qt::PlainText);
  for (QLabel* part : {label, value}) part->setToolTip(tip);
  label->setObjectName("name");
  form_->addRow(label, value);
  values_[id] = value;
}

std::vector<Explanation> ThisRunPanel::explanations(const QString& id) const {
  const auto* label = qobject_cast<const ExplainedLabel*>(values_.at(id));
  return label ? label->explanations() : std::vector<Explanation>{};
}

QString ThisRunPanel::fact(const QString& id) const { return values_.at(id)->text(); }

void ThisRunPanel::follow(const SessionStatus& status) {
  const bool any = status.run != 0 && status.config.has_value();
  hint_->setVisible(!any);
  facts_->setVisible(any);
  if (!any) return;
  const RunConfig& config = *status.config;
  const auto put = [this](const QString& id, const QString& text) {
    if (values_.at(id)->text() != text) values_.at(id)->setText(text);
  };
  const RunHistory::Run* run = context_.history.mainRun();
  put("name", run && !run->summary.name.empty() ? shown(run->summary.name) : tr("run %1").arg(status.run));
  put("preset", config.preset.empty() ? tr("own recipe") : presetLabel(config.preset));
  if (status.size) {
    put("total", tr("%1 parameters").arg(shortCount(static_cast<double>(status.size->totalParameters))));
    put("active", tr("%1 a token").arg(shortCount(static_cast<double>(status.size->activeParameters))));
    put("flops", tr("%1 a token").arg(flops(status.size->flopsPerToken)));
  }
  form_->setRowVisible(values_.at("routed"), status.routedSize.has_value());
  if (status.routedSize)
    put("routed", tr("%1, %2 a token")
                      .arg(shortCount(static_cast<double>(status.routedSize->activeParameters)),
                           flops(status.routedSize->flopsPerToken)));
  put("memory",
      status.peakMemory
          ? tr("%1 predicted, %2 measured").arg(bytes(predictedMemory(config, status.text)), bytes(*status.peakMemory))
          : tr("%1 predicted").arg(bytes(predictedMemory(config, status.text))));
  showBalance();
  put("seed", QString::number(config.seed));
  put("backend", QString::fromStdString(status.backend));
  put("data", dataName(config.data));
}

StepPoint ThisRunPanel::newest() const {
  const RunHistory::Run* run = context_.history.mainRun();
  return run && !run->columns.empty() ? run->columns.pointAt(run->columns.size() - 1) : StepPoint{};
}

StepPoint ThisRunPanel::balancerPoint() const {
  const RunHistory::Run* run = context_.history.mainRun();
  const auto at =
      run && !run->columns.empty() ? run->columns.balancerMeasuredAt(run->columns.size() - 1) : std::nullopt;
  return at ? run->columns.pointAt(*at) : StepPoint{};
}

void ThisRunPanel::showBalance() {
  const RunHistory::Run* run = context_.history.mainRun();
  const StepPoint point = newest();
  QStringList terms;
  for (std::size_t i = 0; run && i < run->facts.terms.size() && i < point.balance.size(); ++i) {
    const RunFacts::Term& term = run->facts.terms[i];
    const QString raw = number(static_cast<double>(point.balance[i]));
    const auto scaled = scaledTerm(point, i, run->facts);
    terms << (scaled ? tr("%1 %2 (raw %3; %4)")
                           .arg(QString::fromStdString(term.label), twoDecimals(*scaled), raw,
                                QString::fromStdString(term.convention))
                     : tr("%1 %2").arg(QString::fromStdString(term.label), raw));
  }
  const StepPoint looked = balancerPoint();
  double least = INFINITY, most = -INFINITY;
  for (const LayerPoint& layer : looked.layers) {
    const auto share = balancerShare(layer);
    if (share) least = std::min(least, *share), most = std::max(most, *share);
  }
  const bool any = !terms.isEmpty(), measured = least <= most;
  for (const auto& [id, shown] : {std::pair<const char*, bool>{"balance", any}, {"pull", any && measured}})
    for (QWidget* part : {static_cast<QWidget*>(values_.at(id)), form_->labelForField(values_.at(id))})
      part->setVisible(shown);
  values_.at("balance")->setText(terms.join('\n'));
  if (measured)
    values_.at("pull")->setText(
        least == most ? tr("%1 of the language loss's pull, step %2").arg(percent(least), grouped(looked.step))
                      : tr("%1 to %2 of the language loss's pull, step %3")
                            .arg(percent(least), percent(most), grouped(looked.step)));
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
