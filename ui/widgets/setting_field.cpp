#include "ui/widgets/setting_field.h"

#include <QAbstractItemView>
#include <QCheckBox>
#include <QComboBox>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QStandardItemModel>
#include <QToolButton>
#include <QWheelEvent>

#include "ui/theme/theme.h"
#include "ui/widgets/number_field.h"

namespace moe::ui {

namespace {

QString words(std::string_view text) { return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())); }

/// The wheel scrolls the page; it changes no setting by accident.
class CalmComboBox : public QComboBox {
 public:
  using QComboBox::QComboBox;
  void showPopup() override {
    view()->setMinimumWidth(view()->sizeHintForColumn(0) + 24);  // whole words, however narrow the panel
    QComboBox::showPopup();
  }

 protected:
  void wheelEvent(QWheelEvent* event) override { event->ignore(); }
};

/// [0,1] as people write it: 0, 1
QString listText(const QString& json) {
  QString text = json;
  if (text == "null") return {};
  return text.remove('[').remove(']').remove('"').replace(",", ", ");
}

QString listJson(const QString& text, const QString& before) {
  const QString plain = text.simplified();
  if (plain == "all") return "\"all\"";
  if (!plain.contains(',') && !plain.isEmpty() && !before.startsWith('[') && before != "null") return plain;
  return '[' + plain + ']';
}

}  // namespace

SettingField::SettingField(Theme& theme, const Setting& setting, const QString& path, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      setting_(setting),
      path_(path),
      grid_(new QGridLayout(this)),
      name_(new QLabel(this)),
      mark_(new QLabel(this)),
      formula_(new QLabel(this)),
      problem_(new QLabel(this)),
      reset_(new QToolButton(this)) {
  setObjectName(path);
  grid_->setContentsMargins(0, 0, 0, 0);
  grid_->setVerticalSpacing(2);
  const bool said = setting.unit.empty() || words(setting.label).contains(words(setting.unit), Qt::CaseInsensitive);
  name_->setText(said ? words(setting.label) : tr("%1, %2").arg(words(setting.label), words(setting.unit)));
  for (QLabel* label : {name_, formula_, problem_}) {
    label->setWordWrap(true);
    label->setTextFormat(Qt::PlainText);
    label->setMinimumWidth(1);
  }
  problem_->hide();
  makeEditor();
  const QString tip =
      setting.formula.empty() ? words(setting.tooltip) : words(setting.tooltip) + '\n' + words(setting.formula);
  for (QWidget* widget : {static_cast<QWidget*>(name_), editor_}) widget->setToolTip(tip);
  editor_->setAccessibleName(words(setting.label));
  editor_->setAccessibleDescription(tip);
  name_->setBuddy(editor_);
  reset_->setText(QString(QChar(0x21ba)));
  reset_->setAutoRaise(true);
  reset_->setFocusPolicy(Qt::TabFocus);
  reset_->setAccessibleName(tr("Back to the preset: %1").arg(words(setting.label)));
  connect(reset_, &QToolButton::clicked, this, [this] { Q_EMIT resetWanted(path_); });
  connect(&theme, &Theme::changed, this, [this] { arrange(), paint(); });
  setState({});
  arrange();
}

void SettingField::makeEditor() {
  const auto edit = [this](const QString& value) { Q_EMIT edited(path_, value); };
  switch (setting_.kind) {
    case SettingKind::choice:
      combo_ = new CalmComboBox(this);
      combo_->setFocusPolicy(Qt::StrongFocus);
      combo_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
      combo_->setMinimumContentsLength(8);
      for (const SettingWord& option : setting_.words) {
        combo_->addItem(words(option.label), '"' + words(option.id) + '"');
        const int row = combo_->count() - 1;
        combo_->setItemData(row, words(option.tooltip) + '\n' + words(option.formula), Qt::ToolTipRole);
        if (option.unavailable.empty()) continue;
        combo_->setItemText(row, tr("%1 (not here)").arg(words(option.label)));
        combo_->setItemData(row, QString::fromStdString(option.unavailable), Qt::ToolTipRole);
        if (auto* items = qobject_cast<QStandardItemModel*>(combo_->model())) items->item(row)->setEnabled(false);
      }
      connect(combo_, &QComboBox::activated, this,
              [this, edit](int index) { edit(combo_->itemData(index).toString()); });
      editor_ = combo_;
      break;
    case SettingKind::boolean:
      check_ = new QCheckBox(this);
      connect(check_, &QCheckBox::clicked, this, [edit](bool on) { edit(on ? "true" : "false"); });
      editor_ = check_;
      break;
    case SettingKind::number:
    case SettingKind::integer:
      number_ = new NumberField(
          {setting_.minimum, setting_.maximum, setting_.step, setting_.kind == SettingKind::integer}, this);
      if (setting_.mayBeNone) number_->setPlaceholder(tr("none"));
      connect(number_, &NumberField::committed, this, [this, edit] { edit(number_->value()); });
      editor_ = number_;
      break;
    case SettingKind::text:
    case SettingKind::integerList:
      list_ = new QLineEdit(this);
      list_->setPlaceholderText(tr("none"));
      list_->setMinimumWidth(1);
      connect(list_, &QLineEdit::editingFinished, this, [this, edit] {
        if (list_->text() != listText(state_->value)) edit(listJson(list_->text(), state_->value));
      });
      editor_ = list_;
      break;
  }
}

void SettingField::setState(const State& state) {
  if (state_ == state) return;
  state_ = state;
  showValue();
  showFormula();
  mark_->setText(state.pending ? QString(QChar(0x25c6)) : state.live ? QString(QChar(0x25cf)) : QString());
  mark_->setToolTip(state.pending ? tr("Waits for a new model.")
                    : state.live  ? tr("Live: applied at the next step.")
                                  : QString());
  mark_->setAccessibleName(mark_->toolTip());
  reset_->setVisible(state.canReset);
  reset_->setToolTip(state.presetValue == "null" ? tr("Back to the preset: none")
                                                 : tr("Back to the preset: %1").arg(listText(state.presetValue)));
  problem_->setText(state.problem);
  problem_->setVisible(!state.problem.isEmpty());
  paint();
}

void SettingField::showValue() {
  if (combo_) combo_->setCurrentIndex(combo_->findData(state_->value));
  if (check_) check_->setChecked(state_->value == "true");
  // What the person typed stands until it can be read.
  if (number_ && !state_->unreadable) number_->setValue(state_->value);
  if (list_ && !state_->unreadable && !(list_->hasFocus() && list_->isModified()))
    list_->setText(listText(state_->value));
}

void SettingField::showFormula() {
  QString formula;
  if (combo_ && combo_->currentIndex() >= 0)
    formula = words(setting_.words[static_cast<std::size_t>(combo_->currentIndex())].formula);
  formula_->setText(formula);
  formula_->setVisible(!formula.isEmpty());
}

QString SettingField::sentence() const { return problem_->isHidden() ? QString() : problem_->text(); }

void SettingField::showEvent(QShowEvent*) {
  paint();  // the first showing polishes the labels, which takes their colours back to those they were made in
}

/// Name and number stand side by side where there is room; a choice, and everything in a lecture hall, stands below.
void SettingField::arrange() {
  const bool below = combo_ || list_ || (theme_.presenter() && !check_);
  for (QWidget* widget :
       {static_cast<QWidget*>(name_), static_cast<QWidget*>(mark_), editor_, static_cast<QWidget*>(reset_),
        static_cast<QWidget*>(formula_), static_cast<QWidget*>(problem_)})
    grid_->removeWidget(widget);
  grid_->addWidget(mark_, 0, 0, Qt::AlignTop);
  grid_->addWidget(name_, 0, 1);
  if (below)
    grid_->addWidget(editor_, 1, 1, 1, 2);
  else
    grid_->addWidget(editor_, 0, 2, Qt::AlignRight);
  grid_->addWidget(reset_, below ? 1 : 0, 3);
  grid_->addWidget(formula_, 2, 1, 1, 3);
  grid_->addWidget(problem_, 3, 1, 1, 3);
  grid_->setColumnMinimumWidth(0, fontMetrics().horizontalAdvance(QChar(0x25cf)) + 2);
  grid_->setColumnMinimumWidth(3, reset_->sizeHint().width());
  grid_->setColumnStretch(1, 1);
  grid_->setHorizontalSpacing(4);
}

void SettingField::paint() {
  const Colours& c = theme_.colours();
  const auto dress = [this](QLabel* label, const QColor& colour, bool bold = false) {
    QPalette own = theme_.palette();
    own.setColor(QPalette::WindowText, colour);
    label->setPalette(own);
    QFont font = theme_.font();
    if (bold) font.setWeight(QFont::DemiBold);
    label->setFont(font);
  };
  dress(name_, state_->pending ? c.warning : c.text, state_->pending);
  dress(mark_, state_->pending ? c.warning : c.good);
  dress(formula_, c.muted);
  dress(problem_, c.danger);
}

}  // namespace moe::ui
