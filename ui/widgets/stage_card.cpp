#include "ui/widgets/stage_card.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace moe::ui {

StageCard::StageCard(Theme& theme, const QString& title, const QString& tooltip, QWidget* parent)
    : QFrame(parent),
      theme_(theme),
      line_(new QBoxLayout(QBoxLayout::LeftToRight)),
      header_(new QToolButton(this)),
      choice_(new QLabel(this)),
      formula_(new QLabel(this)),
      note_(new QLabel(this)),
      inside_(new QWidget(this)),
      body_(new QVBoxLayout(inside_)) {
  header_->setText(title);
  header_->setToolTip(tooltip);
  header_->setAccessibleName(title);
  header_->setAccessibleDescription(tooltip);
  header_->setCheckable(true);
  header_->setAutoRaise(true);
  header_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  header_->setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
  for (QLabel* label : {choice_, formula_, note_}) {
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    label->setMinimumWidth(1);
    label->hide();
  }
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(6, 3, 8, 6);
  all->setSpacing(1);
  line_->setSpacing(2);
  line_->addWidget(header_, 0, Qt::AlignTop | Qt::AlignLeft);
  line_->addWidget(choice_, 1);
  all->addLayout(line_);
  all->addWidget(formula_);
  all->addWidget(note_);
  all->addWidget(inside_);
  body_->setContentsMargins(0, 6, 0, 2);
  inside_->hide();
  connect(header_, &QToolButton::toggled, this, [this](bool open) {
    inside_->setVisible(open);
    dress();
    Q_EMIT toggled();
  });
  connect(&theme, &Theme::changed, this, &StageCard::dress);
  dress();
}

void StageCard::setSummary(const QString& choice, const QString& formula) {
  choice_->setText(choice);
  formula_->setText(formula);
  choice_->setVisible(!choice.isEmpty());
  formula_->setVisible(!formula.isEmpty());
}

void StageCard::setMarks(bool pending, bool problem) {
  if (pending == pending_ && problem == problem_) return;
  pending_ = pending;
  problem_ = problem;
  update();
}

void StageCard::setNote(const QString& sentence) {
  note_->setText(sentence);
  note_->setVisible(!sentence.isEmpty());
}

bool StageCard::open() const { return header_->isChecked(); }
void StageCard::setOpen(bool open) { header_->setChecked(open); }
QString StageCard::choice() const { return choice_->text(); }
QString StageCard::formula() const { return formula_->text(); }
QString StageCard::note() const { return note_->text(); }
int StageCard::station() const { return header_->geometry().center().y(); }

void StageCard::paintEvent(QPaintEvent*) {
  // Painted, not by a style sheet: that would take back the colours of every label inside.
  const Colours& c = theme_.colours();
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(problem_ ? c.danger : pending_ ? c.warning : c.border);
  painter.setBrush(c.base);
  painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
}

void StageCard::dress() {
  const Colours& c = theme_.colours();
  header_->setStyleSheet(
      QString("QToolButton { border: 1px solid transparent; font-weight: 600; padding: 2px; background: transparent; }"
              "QToolButton:hover { background: %1; }"
              "QToolButton:focus { border-color: %2; }")
          .arg(c.raised.name(), c.accent.name()));
  header_->setArrowType(open() ? Qt::DownArrow : Qt::RightArrow);
  const auto paint = [this](QLabel* label, const QColor& colour) {
    QPalette own = theme_.palette();
    own.setColor(QPalette::WindowText, colour);
    label->setPalette(own);
    label->setFont(theme_.font());
  };
  paint(choice_, c.text);
  paint(formula_, c.muted);
  paint(note_, c.warning);
  body_->setSpacing(theme_.gap());
  update();
  // Words line up under the title, which stands behind the arrow.
  const bool hall = theme_.presenter();
  const int behind = fontMetrics().height() + 8;
  line_->setDirection(hall ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
  choice_->setContentsMargins(hall ? behind : 0, 4, 0, 0);
  choice_->setAlignment(hall ? Qt::AlignLeft : Qt::AlignRight);
  for (QLabel* label : {formula_, note_}) label->setContentsMargins(behind, 0, 0, 0);
}

}  // namespace moe::ui
