#include "ui/widgets/card.h"

#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace moe::ui {

Card::Card(Theme& theme, const QString& title, QWidget* parent)
    : QFrame(parent), theme_(theme), title_(new QLabel(title, this)), body_(new QVBoxLayout) {
  setObjectName("card");
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(10, 8, 10, 8);
  all->addWidget(title_);
  all->addLayout(body_, 1);
  title_->setVisible(!title.isEmpty());
  connect(&theme, &Theme::changed, this, &Card::dress);
  dress();
}

void Card::setTitle(const QString& title) {
  title_->setText(title);
  title_->setVisible(!title.isEmpty());
}

void Card::dress() {
  setStyleSheet(QString("#card { background: palette(base); border: 1px solid %1; border-radius: 4px; }")
                    .arg(theme_.colours().border.name()));
  QFont font = theme_.font();
  font.setWeight(QFont::DemiBold);
  title_->setFont(font);
}

EmptyHint::EmptyHint(Theme& theme, const QString& sentence, QWidget* parent) : QLabel(sentence, parent) {
  setWordWrap(true);
  setAlignment(Qt::AlignCenter);
  const auto dress = [this, &theme] {
    QPalette own = theme.palette();
    own.setColor(QPalette::WindowText, theme.colours().muted);
    setPalette(own);
  };
  connect(&theme, &Theme::changed, this, dress);
  dress();
}

}  // namespace moe::ui
