#include "ui/widgets/explain_popover.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScreen>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme/theme.h"

namespace moe::ui {

namespace {

constexpr int kCharacters = 56;  // of a line: a sentence or two stay readable

QLabel* line(QWidget* parent, QVBoxLayout* into) {
  auto* label = new QLabel(parent);
  label->setWordWrap(true);
  label->setTextFormat(Qt::PlainText);
  into->addWidget(label);
  return label;
}

}  // namespace

ExplainPopover* ExplainPopover::open(Theme& theme, QWidget* owner, const QPoint& at, std::vector<Explanation> all,
                                     int first) {
  if (all.empty()) return nullptr;
  auto* popover = new ExplainPopover(theme, owner, std::move(all), first);
  popover->adjustSize();
  const QScreen* screen = owner->screen();
  QPoint place = at;
  if (screen) {
    const QRect room = screen->availableGeometry();
    place.setX(std::clamp(at.x(), room.left(), std::max(room.left(), room.right() - popover->width())));
    if (at.y() + popover->height() > room.bottom()) place.setY(std::max(room.top(), at.y() - popover->height() - 24));
  }
  popover->move(place);
  popover->show();
  popover->setFocus();
  return popover;
}

ExplainPopover::ExplainPopover(Theme& theme, QWidget* owner, std::vector<Explanation> all, int first)
    : QFrame(owner, Qt::Popup), all_(std::move(all)), index_(std::clamp(first, 0, static_cast<int>(all_.size()) - 1)) {
  setObjectName("explanation");
  setAttribute(Qt::WA_DeleteOnClose);
  setFocusPolicy(Qt::StrongFocus);
  const Colours& c = theme.colours();
  setStyleSheet(QString("#explanation { background: %1; border: 1px solid %2; } #muted { color: %3; }")
                    .arg(c.raised.name(), c.accent.name(), c.muted.name()));
  setFont(theme.font());
  auto* all_lines = new QVBoxLayout(this);
  all_lines->setContentsMargins(12, 10, 12, 10);
  all_lines->setSpacing(theme.gap());
  auto* head = new QHBoxLayout;
  name_ = new QLabel(this);
  QFont bold = theme.font();
  bold.setWeight(QFont::DemiBold);
  name_->setFont(bold);
  place_ = new QLabel(this);
  place_->setObjectName("muted");
  head->addWidget(name_, 1);
  head->addWidget(place_);
  all_lines->addLayout(head);
  formula_ = line(this, all_lines);
  formula_->setObjectName("muted");
  values_ = line(this, all_lines);
  meaning_ = line(this, all_lines);
  meaning_->setFont(theme.font(Theme::Size::small));
  meaning_->setObjectName("muted");
  setFixedWidth(kCharacters * QFontMetrics(theme.font()).averageCharWidth() + 24);
  fill();
}

void ExplainPopover::fill() {
  const Explanation& now = shown();
  name_->setText(QString::fromStdString(now.name));
  place_->setText(all_.size() > 1 ? tr("%1 of %2  ↑↓").arg(index_ + 1).arg(all_.size()) : QString());
  formula_->setText(QString::fromStdString(now.formula));
  values_->setText(QString::fromStdString(now.values));
  meaning_->setText(QString::fromStdString(now.meaning));
  meaning_->setVisible(!now.meaning.empty());
  setAccessibleName(name_->text());
  setAccessibleDescription(text());
  adjustSize();
}

QString ExplainPopover::text() const {
  const Explanation& now = shown();
  return QStringList{QString::fromStdString(now.name), QString::fromStdString(now.formula),
                     QString::fromStdString(now.values), QString::fromStdString(now.meaning)}
      .join('\n');
}

void ExplainPopover::walk(int by) {
  index_ = std::clamp(index_ + by, 0, count() - 1);
  fill();
}

void ExplainPopover::keyPressEvent(QKeyEvent* event) {
  switch (event->key()) {
    case Qt::Key_Up:
    case Qt::Key_Left: return walk(-1);
    case Qt::Key_Down:
    case Qt::Key_Right: return walk(1);
    case Qt::Key_Escape:
    case Qt::Key_Return:
    case Qt::Key_Enter: close(); return;
    default: break;
  }
  if (event->matches(QKeySequence::Copy)) return QGuiApplication::clipboard()->setText(text());
  QFrame::keyPressEvent(event);
}

ExplainedLabel::ExplainedLabel(Theme& theme, QWidget* parent) : QLabel(parent), theme_(theme) {
  setFocusPolicy(Qt::TabFocus);
  setCursor(Qt::PointingHandCursor);
  setTextFormat(Qt::PlainText);
  setWhatsThis(tr("Press, or Enter: how the number is computed."));
}

void ExplainedLabel::explain() {
  ExplainPopover::open(theme_, this, mapToGlobal(QPoint(0, height() + 2)), explanations());
}

void ExplainedLabel::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) return explain();
  QLabel::keyPressEvent(event);
}

void ExplainedLabel::mouseReleaseEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && rect().contains(event->pos())) return explain();
  QLabel::mouseReleaseEvent(event);
}

void ExplainedLabel::paintEvent(QPaintEvent* event) {
  QLabel::paintEvent(event);
  if (!hasFocus()) return;
  QPainter painter(this);
  painter.setPen(theme_.colours().accent);
  painter.drawRect(rect().adjusted(0, 0, -1, -1));
}

}  // namespace moe::ui
