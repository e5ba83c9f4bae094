#include "ui/views/recipe_text_dialog.h"

#include <QDialogButtonBox>
#include <QFontDatabase>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/models/recipe_draft.h"
#include "ui/theme/theme.h"

namespace moe::ui {

RecipeTextDialog::RecipeTextDialog(Theme& theme, RecipeDraft& draft, QWidget* parent)
    : QDialog(parent), theme_(theme), draft_(draft), text_(new QPlainTextEdit(this)), words_(new QLabel(this)) {
  setAttribute(Qt::WA_DeleteOnClose);
  setObjectName("recipeText");
  setWindowTitle(tr("Recipe as JSON"));
  auto* about = new QLabel(tr("One key a stage, as in the preset files. What you take over waits on the Recipe panel "
                              "until you restart with it."),
                           this);
  about->setWordWrap(true);
  QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
  font.setPointSizeF(theme.font().pointSizeF());
  text_->setFont(font);
  text_->setLineWrapMode(QPlainTextEdit::NoWrap);
  text_->setAccessibleName(tr("Recipe as JSON"));
  text_->setTabChangesFocus(true);
  text_->setPlainText(QString::fromStdString(draft.text()));
  words_->setWordWrap(true);
  words_->setTextFormat(Qt::PlainText);
  words_->setMinimumHeight(2 *
                           fontMetrics().lineSpacing());  // the buttons stay where they are as sentences come and go
  words_->setAlignment(Qt::AlignLeft | Qt::AlignTop);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
  take_ = buttons->addButton(tr("Take over"), QDialogButtonBox::AcceptRole);
  auto* all = new QVBoxLayout(this);
  all->addWidget(about);
  all->addWidget(text_, 1);
  all->addWidget(words_);
  all->addWidget(buttons);
  const int line = fontMetrics().height();
  resize(40 * line, 36 * line);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(buttons, &QDialogButtonBox::accepted, this, &RecipeTextDialog::take);
  connect(text_, &QPlainTextEdit::textChanged, this, &RecipeTextDialog::check);
  check();
}

QString RecipeTextDialog::sentence() const { return words_->text(); }

void RecipeTextDialog::check() {
  const RecipeDraft::Reading reading = RecipeDraft::read(text_->toPlainText().toStdString());
  take_->setEnabled(reading.config.has_value());
  words_->setText(QString::fromStdString(reading.sentence));
  QPalette own = theme_.palette();
  own.setColor(QPalette::WindowText, reading.config ? theme_.colours().warning : theme_.colours().danger);
  words_->setPalette(own);
}

void RecipeTextDialog::take() {
  const RecipeDraft::Reading reading = RecipeDraft::read(text_->toPlainText().toStdString());
  if (!reading.config) return;
  draft_.take(*reading.config);
  accept();
}

}  // namespace moe::ui
