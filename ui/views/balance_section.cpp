#include "ui/views/balance_section.h"

#include <QPushButton>
#include <QVBoxLayout>

#include "core/explain/run_facts.h"
#include "core/router/stages.h"
#include "ui/models/recipe_draft.h"
#include "ui/theme/theme.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

int termsIn(const RunConfig& config) {
  return config.model.layers.empty() ? 0 : static_cast<int>(config.model.layers.front().recipe.balance.size());
}

}  // namespace

BalanceSection::BalanceSection(Theme& theme, RecipeDraft& draft, QWidget* parent)
    : RecipeSection(theme, draft, *findStage("balance"), parent),
      add_(new QPushButton(tr("Add a load term"), this)),
      list_(new QVBoxLayout) {
  body()->addLayout(list_);
  body()->addWidget(add_);
  add_->setFocusPolicy(Qt::TabFocus);
  add_->setToolTip(tr("Adds a term with coefficient 0: it is measured, and acts once the coefficient is raised."));
  connect(add_, &QPushButton::clicked, this, [this] { draft_.addBalanceTerm(); });
}

void BalanceSection::build(int terms) {
  while (QLayoutItem* item = list_->takeAt(0)) {
    item->widget()->hide();
    item->widget()->deleteLater();  // its own button may be the one that was pressed
    delete item;
  }
  dropFields();
  removes_.clear();
  live_.clear();
  for (int i = 0; i < terms; ++i) {
    auto* term = new QWidget(this);
    auto* column = new QVBoxLayout(term);
    column->setContentsMargins(0, 0, 0, theme_.gap());
    for (const Setting& setting : stage_.settings)
      addField(setting, "balance." + std::to_string(i) + '.' + std::string(setting.path), column);
    auto* live = new ExplainedLabel(theme_, term);
    live->setWordWrap(true);
    live->hide();
    live->setToolTip(
        tr("The term's value at the newest step, and the norm of its gradient on the router of each layer"));
    live->setSource([this, i] {
      std::vector<Explanation> all;
      if (static_cast<std::size_t>(i) < facts_.terms.size())
        all.push_back(explainTerm(point_, static_cast<std::size_t>(i), facts_));
      for (const LayerPoint& layer : point_.layers)
        all.push_back(explain(Metric::balanceGradient, layer, point_.step, facts_));
      return all;
    });
    column->addWidget(live);
    live_.push_back(live);
    auto* remove = new QPushButton(tr("Remove term %1").arg(i + 1), term);
    remove->setFocusPolicy(Qt::TabFocus);
    connect(remove, &QPushButton::clicked, this, [this, i] { draft_.removeBalanceTerm(i); });
    column->addWidget(remove);
    list_->addWidget(term);
    removes_.push_back(remove);
  }
}

QPushButton* BalanceSection::removeButton(int index) const { return removes_.at(static_cast<std::size_t>(index)); }

QString BalanceSection::live(int index) const { return live_.at(static_cast<std::size_t>(index))->text(); }

void BalanceSection::showLive(const StepPoint* point, const RunFacts* facts) {
  point_ = point ? *point : StepPoint{};
  facts_ = facts ? *facts : RunFacts{};
  warnings_.clear();
  for (const std::string& sentence : idleTerms(point_, facts_)) warnings_ << QString::fromStdString(sentence);
  for (std::size_t i = 0; i < live_.size(); ++i) {
    const bool there = i < facts_.terms.size() && i < point_.balance.size() && facts_.terms.size() == live_.size();
    live_[i]->setVisible(there);
    if (!there) continue;
    const auto raw = number(static_cast<double>(point_.balance[i]));
    const auto scaled = scaledTerm(point_, i, facts_);
    QString words = scaled ? tr("Now %1, where 1 is perfect balance (raw %2; %3).")
                                 .arg(twoDecimals(*scaled), raw, QString::fromStdString(facts_.terms[i].convention))
                           : tr("Now %1.").arg(raw);
    QStringList pulls;
    for (const LayerPoint& layer : point_.layers)
      if (i < layer.termGradient.size())
        pulls << tr("L%1 %2").arg(layer.layer).arg(number(static_cast<double>(layer.termGradient[i])));
    if (!pulls.isEmpty()) words += ' ' + tr("Gradient on the router: %1.").arg(pulls.join(", "));
    live_[i]->setText(words);
  }
  setNote(warnings_.join('\n'));
}

void BalanceSection::refresh() {
  const int terms = termsIn(draft_.config());
  if (terms != static_cast<int>(removes_.size())) build(terms);
  RecipeSection::refresh();
  setNote(warnings_.join('\n'));
}

void BalanceSection::summarise() {
  QStringList parts;
  for (std::size_t i = 0; i < removes_.size(); ++i) {
    const std::string term = "balance." + std::to_string(i) + '.';
    const QString kind = QString::fromStdString(draft_.value(term + "kind")).remove('"');
    for (const SettingWord& option : stage_.settings.front().words) {
      if (QString::fromUtf8(option.id.data(), static_cast<qsizetype>(option.id.size())) != kind) continue;
      parts << QString::fromUtf8(option.label.data(), static_cast<qsizetype>(option.label.size())) + ' ' +
                   QString::fromStdString(draft_.value(term + "coefficient"));
    }
  }
  // Of the value as this recipe normalises it.
  const std::vector<RunFacts::Term> terms =
      parts.isEmpty() ? std::vector<RunFacts::Term>() : balanceTermsOf(draft_.config().model);
  const QString formula = terms.empty() ? QString() : QString::fromStdString(terms.front().formula);
  setSummary(parts.isEmpty() ? tr("no terms") : parts.join(QString::fromUtf8(" · ")), formula);
}

}  // namespace moe::ui
