#include "ui/views/recipe_footer.h"

#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include "core/explain/run_facts.h"
#include "ui/models/recipe_draft.h"
#include "ui/models/run_settings.h"
#include "ui/theme/theme.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {
constexpr int kNamed = 3;  // waiting settings that are named; the others are counted
}

RecipeFooter::RecipeFooter(Theme& theme, RecipeDraft& draft, QWidget* parent)
    : QFrame(parent),
      theme_(theme),
      draft_(draft),
      sizes_(new ExplainedLabel(theme, this)),
      waiting_(new QLabel(this)),
      problem_(new QLabel(this)),
      restart_(new QPushButton(tr("Restart with these settings"), this)),
      discard_(new QPushButton(tr("Discard"), this)),
      buttons_(new QBoxLayout(QBoxLayout::LeftToRight)) {
  setObjectName("recipeFooter");
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(8, 6, 8, 6);
  all->setSpacing(4);
  for (QLabel* label : {static_cast<QLabel*>(sizes_), waiting_, problem_}) {
    label->setWordWrap(true);
    label->setMinimumWidth(1);
    label->setTextFormat(Qt::PlainText);
    all->addWidget(label);
  }
  sizes_->setToolTip(
      tr("Of the model as it stands here. Active: what one token passes, all but the experts not chosen.\n"
         "FLOP: 2 a multiply-add, forward and backward. Memory: the peak of training, predicted; the texts of a folder "
         "are counted when the run begins."));
  sizes_->setAccessibleName(tr("Sizes"));
  sizes_->setSource([this] {
    std::vector<Explanation> all;
    if (!moe::problems(draft_.config()).empty()) return all;
    const RunFacts facts = factsOf(draft_.config(), draft_.textSize());
    for (const ModelQuantity quantity :
         {ModelQuantity::totalParameters, ModelQuantity::activeParameters, ModelQuantity::flops, ModelQuantity::memory})
      all.push_back(explain(quantity, facts));
    return all;
  });
  for (QPushButton* button : {restart_, discard_}) {
    button->setFocusPolicy(Qt::TabFocus);
    buttons_->addWidget(button, button == restart_ ? 1 : 0);
  }
  discard_->setToolTip(tr("Back to the settings of the present run."));
  all->addLayout(buttons_);
  connect(restart_, &QPushButton::clicked, this, &RecipeFooter::restartWanted);
  connect(discard_, &QPushButton::clicked, &draft, &RecipeDraft::discard);
  connect(&draft, &RecipeDraft::changed, this, &RecipeFooter::refresh);
  connect(&theme, &Theme::changed, this, [this] { dress(), refresh(); });
  dress();
  refresh();
}

QString RecipeFooter::waiting() const {
  if (!draft_.running()) return tr("Nothing is training yet.");
  QStringList names;
  int more = 0;
  for (const std::string& path : settingPaths(draft_.config())) {
    if (!draft_.pending(path)) continue;
    const Setting* setting = findSetting(path);
    const QString name =
        setting ? QString::fromUtf8(setting->label.data(), static_cast<qsizetype>(setting->label.size())) : tr("Text");
    if (names.size() < kNamed)
      names << name;
    else
      ++more;
  }
  if (names.isEmpty()) return tr("These changes need a new model.");
  if (more > 0) return tr("Needs a new model: %1 and %2 more.").arg(names.join(", ")).arg(more);
  return tr("Needs a new model: %1.").arg(names.join(", "));
}

void RecipeFooter::refresh() {
  const auto& problems = draft_.problems();
  const bool pending = draft_.anythingPending(), wrong = !problems.empty();
  if (moe::problems(draft_.config().model, draft_.config().train.routerLearns()).empty()) {
    const ModelSize size = sizeOf(draft_.config());
    sizes_->setText(tr("%1 parameters, %2 active\n%3 a token · %4 to train")
                        .arg(shortCount(static_cast<double>(size.totalParameters)),
                             shortCount(static_cast<double>(size.activeParameters)), flops(size.flopsPerToken),
                             moe::problems(draft_.config()).empty()
                                 ? bytes(predictedMemory(draft_.config(), draft_.textSize()))
                                 : QString(QChar(0x2013))));
  } else {
    sizes_->setText(tr("Sizes: –"));
  }
  waiting_->setText(pending ? waiting() : QString());
  waiting_->setVisible(pending);
  problem_->setText(wrong ? tr("Cannot start: %1").arg(QString::fromStdString(problems.front().sentence)) : QString());
  problem_->setVisible(wrong);
  const QString full = draft_.running() ? tr("Restart with these settings") : tr("Start with these settings");
  restart_->setText(!draft_.running()    ? tr("Start")
                    : theme_.presenter() ? tr("Restart")
                                         : tr("Restart with these settings"));
  restart_->setAccessibleName(full);
  restart_->setToolTip(wrong ? problem_->text() : tr("Starts a new run with these settings; the present one is kept."));
  restart_->setVisible(pending);
  restart_->setEnabled(!wrong);
  discard_->setVisible((pending && draft_.running()) || wrong);
}

void RecipeFooter::showRefusal(const QString& sentence) {
  problem_->setText(sentence);
  problem_->setVisible(true);
}

QString RecipeFooter::sizes() const { return sizes_->text(); }

QString RecipeFooter::words() const {
  QStringList lines;
  for (const QLabel* label : {waiting_, problem_})
    if (!label->isHidden()) lines << label->text();
  return lines.join('\n');
}

void RecipeFooter::dress() {
  setStyleSheet(QString("#recipeFooter { border-top: 1px solid %1; }").arg(theme_.colours().border.name()));
  const auto paint = [this](QLabel* label, const QColor& colour) {
    QPalette own = theme_.palette();
    own.setColor(QPalette::WindowText, colour);
    label->setPalette(own);
  };
  paint(waiting_, theme_.colours().warning);
  paint(problem_, theme_.colours().danger);
}

}  // namespace moe::ui
