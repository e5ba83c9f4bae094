#include "ui/views/run_bar.h"

#include <QAction>
#include <QActionGroup>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QPainterPath>
#include <QProgressBar>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/models/run_history.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

using State = SessionStatus::State;

constexpr int kBetweenRestarts = 1000;  // ms
constexpr int kLeastForDetails = 56;    // heights of a line

/// "reading the text 40 %, about 0:12 left"
QString workText(const Work& work) {
  const QString done = QObject::tr("%1 %2 %").arg(QString::fromStdString(work.what)).arg(qRound(100 * work.share));
  return work.secondsLeft > 0 ? QObject::tr("%1, about %2 left").arg(done, duration(work.secondsLeft)) : done;
}

bool running(State state) { return state == State::training || state == State::preparing || state == State::waiting; }

const QString kDot = QString::fromUtf8(" \u00b7 ");

}  // namespace

RunBar::RunBar(SessionBridge& session, RunHistory& history, Theme& theme, QWidget* parent)
    : QFrame(parent),
      session_(session),
      history_(history),
      theme_(theme),
      play_(new QAction(tr("Play"), this)),
      step_(new QAction(tr("One step"), this)),
      restart_(new QAction(tr("Restart from step 0"), this)),
      progress_(new QProgressBar(this)),
      words_(new ExplainedLabel(theme, this)),
      details_(new QLabel(this)),
      paces_(new QActionGroup(this)),
      pace_(new QToolButton(this)),
      alerts_(new QToolButton(this)) {
  setObjectName("runBar");
  play_->setShortcut(Qt::Key_Space);
  step_->setShortcut(Qt::Key_Period);
  restart_->setShortcut(Qt::CTRL | Qt::Key_R);
  restart_->setAutoRepeat(false);
  connect(play_, &QAction::triggered, this, &RunBar::toggle);
  connect(step_, &QAction::triggered, this, [this] { session_.post(command::StepOnce{}); });
  connect(restart_, &QAction::triggered, this, &RunBar::restart);

  auto* line = new QHBoxLayout(this);
  line->setContentsMargins(8, 5, 8, 5);
  for (QAction* action : {play_, step_, restart_}) {
    auto* button = new QToolButton(this);
    button->setDefaultAction(action);
    button->setAutoRaise(true);
    button->setFocusPolicy(Qt::TabFocus);  // a click leaves the keyboard where it was: space stays play and pause
    button->setToolButtonStyle(action == play_ ? Qt::ToolButtonTextBesideIcon : Qt::ToolButtonIconOnly);
    line->addWidget(button);
  }
  auto* middle = new QVBoxLayout;
  middle->setSpacing(3);
  middle->addWidget(words_);
  middle->addWidget(progress_);
  progress_->setTextVisible(false);
  progress_->setAccessibleName(tr("Progress of the run"));
  line->addSpacing(6);
  line->addLayout(middle, 1);
  line->addSpacing(6);
  line->addWidget(details_);
  makePaces();
  line->addWidget(pace_);
  line->addWidget(alerts_);
  words_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  alerts_->setFocusPolicy(Qt::TabFocus);
  alerts_->setAutoRaise(true);
  connect(alerts_, &QToolButton::clicked, this, &RunBar::alertsWanted);

  words_->setSource([this] {
    std::vector<Explanation> all;
    const RunHistory::Run* run = history_.mainRun();
    if (!run || run->columns.empty()) return all;
    const StepPoint point = run->columns.pointAt(run->columns.size() - 1);
    for (const Metric metric :
         {Metric::loss, Metric::validationLoss, Metric::tokensPerSecond, Metric::gradientNorm, Metric::learningRate})
      all.push_back(explain(metric, point, run->facts));
    return all;
  });
  connect(&session, &SessionBridge::statusChanged, this, &RunBar::showStatus);
  connect(&history, &RunHistory::pointsAdded, this, &RunBar::refresh);
  connect(&history, &RunHistory::alertsChanged, this, &RunBar::showAlerts);
  connect(&theme, &Theme::changed, this, &RunBar::dress);
  dress();
}

void RunBar::makePaces() {
  auto* menu = new QMenu(this);
  for (const bool fluid : {true, false}) {
    QAction* action =
        paces_->addAction(fluid ? tr("&Fluid: one core stays free for the window") : tr("F&ast: every core trains"));
    action->setCheckable(true);
    action->setData(fluid);
    menu->addAction(action);
    connect(action, &QAction::triggered, this, [this, fluid] { session_.post(command::SetPace{fluid}); });
  }
  pace_->setMenu(menu);
  pace_->setPopupMode(QToolButton::InstantPopup);
  pace_->setAutoRaise(true);
  pace_->setFocusPolicy(Qt::TabFocus);
  pace_->setToolTip(
      tr("How many cores train: at once, from the next step on. The run notes it, for sums are grouped by threads\n"
         "and the last bits of its numbers depend on that."));
}

void RunBar::toggle() {
  const bool pause = asked_ >= 0 ? asked_ == 1 : running(session_.status().state);
  asked_ = pause ? 0 : 1;
  if (pause)
    session_.post(command::Pause{});
  else
    session_.post(command::Play{});
  refresh();
}

void RunBar::restart() {
  // Presses in a row are one: each would make a run of its own.
  const bool again = restarted_.isValid() && restarted_.elapsed() < kBetweenRestarts;
  restarted_.start();
  if (again) return;
  asked_ = -1;
  session_.post(command::Restart{});
}

void RunBar::showStatus(const SessionStatus& status) {
  if (asked_ == static_cast<int>(running(status.state))) asked_ = -1;
  refresh();
}

void RunBar::refresh() {
  const SessionStatus& status = session_.status();
  const bool plays = asked_ >= 0 ? asked_ == 1 : running(status.state);
  play_->setText(plays ? tr("Pause") : tr("Play"));
  play_->setIcon(icon(plays ? "pause" : "play"));
  play_->setToolTip(plays ? tr("Pause after this step (Space)") : tr("Train (Space)"));
  play_->setEnabled(status.run != 0);
  step_->setEnabled(status.run != 0 && !plays);
  restart_->setEnabled(status.run != 0);

  QStringList words;
  switch (status.state) {
    case State::idle: words << (status.run == 0 ? tr("no run") : tr("idle")); break;
    case State::preparing: words << (status.work ? workText(*status.work) : tr("preparing data and model")); break;
    case State::training:
      if (status.work) words << workText(*status.work);
      if (asked_ == 0) words << tr("pausing after this step");
      break;
    case State::waiting: words << tr("waiting for room on the disk"); break;
    case State::paused: words << (asked_ == 1 ? tr("going on") : tr("paused")); break;
    case State::finished: words << tr("finished"); break;
    case State::failed: words << tr("stopped"); break;
  }
  if (status.targetSteps > 0) words << tr("step %1 / %2").arg(grouped(status.step), grouped(status.targetSteps));
  if (const RunHistory::Run* run = history_.mainRun(); run && !run->columns.empty()) {
    const std::size_t last = run->columns.size() - 1;
    if (const auto loss = run->columns.valueAt(Metric::loss, 0, last)) words << tr("loss %1").arg(number(*loss));
  }
  if (status.state == State::training && !status.work) {
    words << speed(status.tokensPerSecond);
    if (status.secondsLeft > 0) words << tr("%1 left").arg(duration(status.secondsLeft));
  }
  words_->setText(words.join(kDot));
  words_->setToolTip(words_->text());
  const bool loading = status.state == State::preparing && status.work;
  progress_->setRange(0, loading ? 100 : static_cast<int>(std::max<std::int64_t>(status.targetSteps, 1)));
  progress_->setValue(loading ? qRound(100 * status.work->share) : static_cast<int>(status.step));
  details_->setText(QString::fromStdString(status.backend));
  for (QAction* action : paces_->actions()) action->setChecked(action->data().toBool() == status.fluid);
  const QString pace = status.fluid ? tr("fluid") : tr("fast");
  pace_->setText(theme_.presenter() ? pace : tr("pace: %1").arg(pace));
  showAlerts();
}

void RunBar::showAlerts() {
  const auto count = history_.alerts().size();
  alerts_->setText(count == 0 ? tr("no alerts") : count == 1 ? tr("1 alert") : tr("%1 alerts").arg(count));
  alerts_->setToolTip(tr("Experts below 5 % of their fair share; press to see them"));
  QPalette own = theme_.palette();
  own.setColor(QPalette::ButtonText, count == 0 ? theme_.colours().muted : theme_.colours().danger);
  alerts_->setPalette(own);
}

QString RunBar::summary() const { return words_->text(); }
QString RunBar::alertSummary() const { return alerts_->text(); }

void RunBar::dress() {
  setStyleSheet(QString("#runBar { background: palette(base); border-bottom: 1px solid %1; }")
                    .arg(theme_.colours().border.name()));
  progress_->setFixedHeight(theme_.presenter() ? 6 : 4);
  progress_->setStyleSheet(
      QString("QProgressBar { background: %1; border: 0; } QProgressBar::chunk { background: %2; }")
          .arg(theme_.colours().raised.name(), theme_.colours().accent.name()));
  QPalette own = theme_.palette();
  own.setColor(QPalette::WindowText, theme_.colours().muted);
  details_->setPalette(own);
  showDetails();
  const int side = QFontMetrics(theme_.font()).height();
  for (QToolButton* button : findChildren<QToolButton*>()) button->setIconSize(QSize(side, side));
  step_->setIcon(icon("step"));
  restart_->setIcon(icon("restart"));
  refresh();
}

/// How it computes is said where there is room beside how it stands.
void RunBar::showDetails() {
  details_->setVisible(!theme_.presenter() && width() >= kLeastForDetails * QFontMetrics(theme_.font()).height());
}

void RunBar::resizeEvent(QResizeEvent* event) {
  QFrame::resizeEvent(event);
  showDetails();
}

QIcon RunBar::icon(const char* name) const {
  // Drawn, so that they follow the theme and stay sharp at any scale.
  constexpr int kSize = 64;
  QPixmap picture(kSize, kSize);
  picture.fill(Qt::transparent);
  QPainter painter(&picture);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  painter.setBrush(theme_.colours().text);
  const QPolygonF triangle{QPointF(14, 8), QPointF(56, 32), QPointF(14, 56)};
  if (!qstrcmp(name, "play")) painter.drawPolygon(triangle);
  if (!qstrcmp(name, "pause")) painter.drawRect(14, 10, 13, 44), painter.drawRect(37, 10, 13, 44);
  if (!qstrcmp(name, "step")) painter.drawPolygon(triangle.translated(-6, 0)), painter.drawRect(48, 8, 8, 48);
  if (!qstrcmp(name, "restart")) {
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme_.colours().text, 7, Qt::SolidLine, Qt::FlatCap));
    painter.drawArc(12, 12, 40, 40, 60 * 16, 290 * 16);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme_.colours().text);
    painter.drawPolygon(QPolygonF{QPointF(36, 2), QPointF(58, 14), QPointF(38, 28)});
  }
  return QIcon(picture);
}

}  // namespace moe::ui
