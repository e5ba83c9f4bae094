#include "ui/widgets/notices.h"

#include <QHBoxLayout>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/theme/theme.h"
#include "ui/widgets/wrapped_text.h"

namespace moe::ui {

namespace {
constexpr int kMost = 3;  // the oldest makes room
}

Notices::Notices(Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme), rows_(new QVBoxLayout(this)) {
  rows_->setContentsMargins(0, 0, 0, 0);
  rows_->setSpacing(1);
  hide();
}

void Notices::show(Kind kind, const QString& sentence, std::vector<Answer> answers, QString key) {
  if (key.isEmpty()) key = sentence;
  close(key);
  if (count() >= kMost) delete rows_->itemAt(0)->widget();

  auto* row = new QFrame(this);
  row->setObjectName("notice");
  row->setProperty("key", key);
  const QColor edge = kind == Kind::problem ? theme_.colours().danger : theme_.colours().accent;
  row->setStyleSheet(QString("#notice { background: palette(base); border-left: 4px solid %1; }").arg(edge.name()));
  auto* line = new QHBoxLayout(row);
  line->setContentsMargins(10, 5, 6, 5);
  auto* words = new WrappedText(sentence, row);
  line->addWidget(words, 1);
  for (Answer& answer : answers) {
    auto* button = new QPushButton(answer.label, row);
    connect(button, &QPushButton::clicked, this, [this, key, act = std::move(answer.act)] {
      if (act) act();
      close(key);
    });
    line->addWidget(button);
  }
  auto* away = new QToolButton(row);
  away->setText(QString(QChar(0x00d7)));
  away->setAutoRaise(true);
  away->setToolTip(tr("Close this line"));
  away->setAccessibleName(tr("Close"));
  connect(away, &QToolButton::clicked, this, [this, key] { close(key); });
  line->addWidget(away);
  rows_->addWidget(row);
  QWidget::show();
}

QFrame* Notices::find(const QString& key) const {
  for (QFrame* row : findChildren<QFrame*>("notice", Qt::FindDirectChildrenOnly))
    if (row->property("key").toString() == key) return row;
  return nullptr;
}

void Notices::close(const QString& key) {
  if (QFrame* row = find(key)) {
    rows_->removeWidget(row);
    row->setProperty("key", QVariant());
    row->setObjectName({});
    row->hide();
    row->deleteLater();  // its own button may be the one that was pressed
  }
  if (count() == 0) hide();
}

int Notices::count() const { return rows_->count(); }

QStringList Notices::sentences() const {
  QStringList all;
  for (int i = 0; i < rows_->count(); ++i) all << rows_->itemAt(i)->widget()->findChild<WrappedText*>()->toPlainText();
  return all;
}

}  // namespace moe::ui
