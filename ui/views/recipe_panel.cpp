#include "ui/views/recipe_panel.h"

#include <QAction>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "core/router/stages.h"
#include "ui/models/run_history.h"
#include "ui/models/run_settings.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/balance_section.h"
#include "ui/views/recipe_footer.h"
#include "ui/views/recipe_text_dialog.h"
#include "ui/views/stage_section.h"
#include "ui/widgets/setting_field.h"
#include "ui/widgets/stage_track.h"

namespace moe::ui {

RecipePanel::RecipePanel(const PageContext& context, QWidget* parent)
    : QWidget(parent),
      context_(context),
      draft_(this),
      preset_(new QComboBox(this)),
      about_(new QLabel(this)),
      source_(new QLabel(this)),
      legend_(new QLabel(tr("● live   ◆ needs a new model"), this)),
      more_(new QToolButton(this)),
      undo_(new QPushButton(tr("Undo"), this)),
      twin_(new QPushButton(tr("Compare with dense"), this)),
      actions_(new QBoxLayout(QBoxLayout::LeftToRight)),
      scroll_(new QScrollArea(this)),
      footer_(new RecipeFooter(context.theme, draft_, this)) {
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->setSpacing(0);
  all->addWidget(scroll_, 1);
  all->addWidget(footer_);
  scroll_->setWidgetResizable(true);
  scroll_->setFrameShape(QFrame::NoFrame);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);

  auto* inside = new QWidget;
  buildHead(inside);
  auto* routing = new StageTrack(context.theme, inside);
  for (const SettingSection& stage : stages()) {
    if (stage.id == "balance")
      sections_.push_back(new BalanceSection(context.theme, draft_, routing));
    else
      sections_.push_back(new StageSection(context.theme, draft_, stage, routing));
    routing->add(sections_.back());
  }
  inside->layout()->addWidget(routing);
  for (const SettingSection& section : runSections()) {
    sections_.push_back(new StageSection(context.theme, draft_, section, inside));
    inside->layout()->addWidget(sections_.back());
  }
  text_ = new QPushButton(tr("Edit as JSON…"), inside);
  text_->setFocusPolicy(Qt::TabFocus);
  text_->setToolTip(
      tr("Everything above as text, and what has no field: the head's losses, single layers, frozen experts."));
  connect(text_, &QPushButton::clicked, this, [this] { (new RecipeTextDialog(context_.theme, draft_, this))->show(); });
  inside->layout()->addWidget(text_);
  auto* edit = new QAction(tr("Recipe as &JSON…"), this);
  edit->setProperty("menu", "Edit");
  connect(edit, &QAction::triggered, text_, &QPushButton::click);
  addAction(edit);
  static_cast<QVBoxLayout*>(inside->layout())->addStretch(1);
  for (RecipeSection* section : sections_)
    connect(section, &StageCard::toggled, routing, qOverload<>(&QWidget::update));
  scroll_->setWidget(inside);

  connect(&draft_, &RecipeDraft::changed, this, &RecipePanel::refresh);
  connect(&draft_, &RecipeDraft::knobTurned, this, [this](const std::string& path, const std::string& value) {
    context_.session.post(command::SetKnob{path, value});
  });
  connect(footer_, &RecipeFooter::restartWanted, this,
          [this] { context_.session.post(command::Start{.config = draft_.config()}); });
  connect(&context.session, &SessionBridge::statusChanged, this, &RecipePanel::follow);
  connect(&context.history, &RunHistory::pointsAdded, this, &RecipePanel::showLive);
  connect(&context.history, &RunHistory::runsChanged, this, &RecipePanel::showLive);
  connect(&context.session, &SessionBridge::problemArrived, this, [this](const QString& sentence) {
    draft_.takeBack();
    footer_->showRefusal(sentence);
  });
  connect(&context.theme, &Theme::changed, this, &RecipePanel::dress);
  follow(context.session.status());
  refresh();
  dress();
}

RecipePanel::~RecipePanel() {
  // A field that loses the keyboard as the window closes would report to a draft that is gone.
  for (const RecipeSection* section : sections_)
    for (SettingField* field : section->fields()) field->disconnect();
}

void RecipePanel::buildHead(QWidget* inside) {
  auto* column = new QVBoxLayout(inside);
  for (const Preset& preset : presets()) {
    preset_->addItem(QString::fromStdString(preset.label), QString::fromStdString(preset.id));
    preset_->setItemData(preset_->count() - 1, QString::fromStdString(preset.source), Qt::ToolTipRole);
  }
  preset_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  preset_->setMinimumContentsLength(10);
  preset_->setAccessibleName(tr("Preset"));
  preset_->setFocusPolicy(Qt::StrongFocus);
  connect(preset_, &QComboBox::activated, this,
          [this](int index) { draft_.choosePreset(preset_->itemData(index).toString().toStdString()); });
  for (QLabel* label : {about_, source_, legend_}) {
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    label->setMinimumWidth(1);
  }
  undo_->setToolTip(tr("Sets the last live setting back to its old value at the next step."));
  twin_->setCheckable(true);
  twin_->setToolTip(
      tr("Trains the dense model of equal active parameters beside this one, on the same data and seed."));
  for (QPushButton* button : {undo_, twin_}) {
    button->setFocusPolicy(Qt::TabFocus);
    actions_->addWidget(button);
  }
  connect(undo_, &QPushButton::clicked, this, [this] { context_.session.post(command::UndoKnob{}); });
  connect(twin_, &QPushButton::clicked, this, [this] {
    twin_->setChecked(context_.session.status().twin != 0);  // shows what is, not what was asked
    if (context_.session.status().twin != 0)
      context_.session.post(command::CloseTwin{});
    else
      context_.session.post(command::StartTwin{});
  });
  column->addWidget(preset_);
  column->addWidget(about_);
  column->addWidget(more_, 0, Qt::AlignLeft);
  column->addWidget(source_);
  column->addLayout(actions_);
  column->addWidget(legend_);
  more_->setText(tr("About this preset"));
  more_->setCheckable(true);
  more_->setAutoRaise(true);
  more_->setFocusPolicy(Qt::TabFocus);
  more_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  more_->setArrowType(Qt::RightArrow);
  source_->hide();
  connect(more_, &QToolButton::toggled, this, [this](bool open) {
    more_->setArrowType(open ? Qt::DownArrow : Qt::RightArrow);
    source_->setVisible(open);
    about_->setVisible(open || !context_.theme.presenter());
  });
}

RecipeSection* RecipePanel::section(const QString& id) const {
  for (RecipeSection* section : sections_)
    if (section->stage().id == id.toStdString()) return section;
  return nullptr;
}

SettingField* RecipePanel::field(const QString& path) const {
  for (const RecipeSection* section : sections_)
    for (SettingField* field : section->fields())
      if (field->path() == path) return field;
  return nullptr;
}

void RecipePanel::follow(const SessionStatus& status) {
  draft_.setPresent(status.run, status.config);
  undo_->setEnabled(status.canUndo);
  twin_->setChecked(status.twin != 0);
  twin_->setText(status.twin != 0 ? tr("Close the dense model") : tr("Compare with dense"));
  twin_->setEnabled(status.run != 0);
}

void RecipePanel::refresh() {
  const RunConfig& config = draft_.config();
  preset_->setCurrentIndex(preset_->findData(QString::fromStdString(config.preset)));
  for (const Preset& preset : presets()) {
    if (preset.id != config.preset) continue;
    about_->setText(QString::fromStdString(preset.about));
    const QString details =
        tr("%1\nSource: %2").arg(QString::fromStdString(preset.scaled), QString::fromStdString(preset.source));
    about_->setToolTip(details);
    source_->setText(details);
    preset_->setToolTip(QString::fromStdString(preset.source));
  }
  for (RecipeSection* section : sections_) section->refresh();
  showLive();
}

/// The terms' present values stand below the terms they are of: only while the draft's are the run's.
void RecipePanel::showLive() {
  auto* balance = static_cast<BalanceSection*>(section("balance"));
  const RunHistory::Run* run = context_.history.mainRun();
  if (!balance) return;
  if (!run || run->columns.empty()) return balance->showLive(nullptr, nullptr);
  const StepPoint point = run->columns.pointAt(run->columns.size() - 1);
  balance->showLive(&point, &run->facts);
}

QSize RecipePanel::minimumSizeHint() const {
  const QWidget* inside = scroll_->widget();
  const int bar = scroll_->verticalScrollBar()->sizeHint().width();
  const int width = std::max(inside->minimumSizeHint().width() + bar, footer_->minimumSizeHint().width());
  return {width, footer_->minimumSizeHint().height() + 8 * fontMetrics().height()};
}

QSize RecipePanel::sizeHint() const { return {std::max(320, minimumSizeHint().width()), 600}; }

void RecipePanel::dress() {
  const int gap = context_.theme.gap();
  scroll_->widget()->layout()->setContentsMargins(gap, gap, gap, gap);
  scroll_->widget()->layout()->setSpacing(gap);
  actions_->setDirection(context_.theme.presenter() ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
  QPalette own = context_.theme.palette();
  own.setColor(QPalette::WindowText, context_.theme.colours().muted);
  source_->setPalette(own);
  legend_->setPalette(own);
  about_->setVisible(more_->isChecked() || !context_.theme.presenter());  // in a lecture hall the stages come first
  more_->setPalette(own);
  updateGeometry();
}

QWidget* makeRecipePanel(const PageContext& context, QWidget* parent) { return new RecipePanel(context, parent); }

}  // namespace moe::ui
