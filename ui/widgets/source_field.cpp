#include "ui/widgets/source_field.h"

#include <QFileDialog>
#include <QFileInfo>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace moe::ui {

namespace {
const QString kBuiltin = "builtin:domains";
}

SourceField::SourceField(Theme& theme, QWidget* parent)
    : QWidget(parent), theme_(theme), where_(new QLabel(this)), problem_(new QLabel(this)) {
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(theme.gap() + 8, 0, 0, 0);
  all->setSpacing(2);
  for (QLabel* label : {where_, problem_}) {
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    label->setMinimumWidth(1);
  }
  problem_->hide();
  all->addWidget(where_);
  const auto add = [&](const QString& text, const QString& tip, auto act) {
    auto* button = new QPushButton(text, this);
    button->setToolTip(tip);
    button->setFocusPolicy(Qt::TabFocus);
    connect(button, &QPushButton::clicked, this, act);
    all->addWidget(button);
  };
  add(tr("Built-in corpus"), tr("Labelled domains, generated from the corpus seed."),
      [this] { Q_EMIT chosen(kBuiltin); });
  add(tr("Text file…"), tr("One UTF-8 text."), [this] { choose(false); });
  add(tr("Folder of texts…"), tr("Each file or sub-folder is a domain."), [this] { choose(true); });
  all->addWidget(problem_);
  connect(&theme, &Theme::changed, this, &SourceField::dress);
  dress();
}

void SourceField::choose(bool folder) {
  const QString path = folder ? QFileDialog::getExistingDirectory(this, tr("Folder of texts"))
                              : QFileDialog::getOpenFileName(this, tr("Text file"));
  if (!path.isEmpty()) Q_EMIT chosen(path);
}

void SourceField::setState(const QString& source, bool pending, const QString& problem) {
  source_ = source;
  pending_ = pending;
  where_->setText(tr("Text: %1").arg(label()));
  where_->setToolTip(source);
  problem_->setText(problem);
  problem_->setVisible(!problem.isEmpty());
  dress();
}

QString SourceField::label() const {
  return source_ == kBuiltin ? tr("built-in corpus") : QFileInfo(source_).fileName();
}

void SourceField::dress() {
  QPalette own = theme_.palette();
  own.setColor(QPalette::WindowText, pending_ ? theme_.colours().warning : theme_.colours().text);
  where_->setPalette(own);
  own.setColor(QPalette::WindowText, theme_.colours().danger);
  problem_->setPalette(own);
}

}  // namespace moe::ui
