#include "ui/views/stage_section.h"

#include <QCheckBox>
#include <QVBoxLayout>
#include <algorithm>

#include "core/router/stages.h"
#include "ui/models/recipe_draft.h"
#include "ui/models/run_settings.h"
#include "ui/widgets/setting_field.h"
#include "ui/widgets/source_field.h"

namespace moe::ui {

namespace {

QString words(std::string_view text) { return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())); }
QString unquoted(const std::string& json) { return QString::fromStdString(json).remove('"'); }

/// What a closed card says of its numbers; a routing stage that is not here says those that change live.
std::vector<std::string_view> said(const SettingSection& stage) {
  if (stage.id == "model") return {"model.width", "model.layers", "model.context"};
  if (stage.id == "train") return {"train.learning_rate", "train.batch", "train.steps"};
  if (stage.id == "alerts") return {"alerts.threshold", "alerts.window"};
  if (stage.id == "experts") return {"experts.count", "experts.hidden"};
  std::vector<std::string_view> live;
  for (const Setting& setting : stage.settings)
    if (setting.changesLive && setting.kind != SettingKind::choice) live.push_back(setting.path);
  return live;
}

}  // namespace

StageSection::StageSection(Theme& theme, RecipeDraft& draft, const SettingSection& stage, QWidget* parent)
    : RecipeSection(theme, draft, stage, parent) {
  if (stage.id == "data") {
    source_ = new SourceField(theme, this);
    connect(source_, &SourceField::chosen, this,
            [this](const QString& source) { draft_.change("data.source", source.toStdString()); });
    body()->addWidget(source_);
  }
  for (const Setting& setting : stage.settings)
    if (!partOf(stage, setting.path)) addField(setting, std::string(setting.path), body());
  for (const SettingPart& part : stage.parts) {
    Part entry{std::string(part.path), {}, new QCheckBox(words(part.label), this)};
    entry.on->setToolTip(words(part.tooltip));
    entry.on->setAccessibleDescription(words(part.tooltip));
    entry.on->setObjectName(words(part.path));
    entry.on->setFocusPolicy(Qt::TabFocus);
    body()->addWidget(entry.on);
    for (const Setting& setting : stage.settings) {
      if (partOf(stage, setting.path) != &part) continue;
      if (entry.first.empty()) entry.first = setting.path;
      addField(setting, std::string(setting.path), body());
    }
    connect(entry.on, &QCheckBox::clicked, this,
            [this, path = entry.path, first = entry.first](bool on) { draft_.switchPart(path, first, on); });
    parts_.push_back(std::move(entry));
  }
}

bool StageSection::present(const Part& part) const { return draft_.value(part.first) != "null"; }

QCheckBox* StageSection::partSwitch(const std::string& part) const {
  for (const Part& entry : parts_)
    if (entry.path == part) return entry.on;
  return nullptr;
}

bool StageSection::shown(const std::string& path) const {
  const SettingPart* part = partOf(stage_, path);
  if (part && draft_.value(path) == "null" &&
      std::none_of(parts_.begin(), parts_.end(), [&](const Part& p) { return p.path == part->path && present(p); }))
    return false;
  return RecipeSection::shown(path);
}

void StageSection::refresh() {
  for (const Part& part : parts_) part.on->setChecked(present(part));
  if (source_)
    source_->setState(QString::fromStdString(draft_.config().data.source), draft_.pending("data.source"),
                      draft_.problem("data.source"));
  RecipeSection::refresh();
}

void StageSection::summarise() {
  const bool routing = findStage(stage_.id) != nullptr;
  if (routing && !isRouted(draft_.config().model)) return setSummary(tr("not used: every layer is dense"), {});
  QStringList parts, formulas;
  const auto say = [&](std::string_view formula) {
    if (routing && !formula.empty() && !formulas.contains(words(formula))) formulas << words(formula);
  };
  if (source_) parts << source_->label();
  const auto first = std::find_if(stage_.settings.begin(), stage_.settings.end(),
                                  [](const Setting& s) { return s.kind == SettingKind::choice; });
  if ((routing || source_) && first != stage_.settings.end() && shown(std::string(first->path))) {
    const QString value = unquoted(draft_.value(std::string(first->path)));
    for (const SettingWord& option : first->words) {
      if (words(option.id) != value) continue;
      if (!partOf(stage_, first->path)) parts << words(option.label);
      say(option.formula);
    }
  }
  const auto sayNumber = [&](const std::string& path) {
    const std::string value = draft_.value(path);
    if (value == "null" || value == "0" || value == "0.0" || !shown(path)) return;
    const Setting* setting = findSetting(path);
    parts << words(setting->label) + ' ' + QString::fromStdString(value).remove('[').remove(']').replace(",", ", ");
    if (setting->changesLive) say(setting->formula);
  };
  for (const std::string_view path : said(stage_)) sayNumber(std::string(path));
  for (const Part& part : parts_)
    if (present(part) && !changesLive(part.first)) {
      const Setting* setting = findSetting(part.first);
      if (setting->kind == SettingKind::integer)
        sayNumber(part.first);
      else
        parts << part.on->text();
      say(setting->formula);
    }
  if (parts.isEmpty() && stage_.id == "capacity") parts << tr("no limit");
  if (parts.isEmpty() && stage_.id == "combine") parts << tr("sum of the chosen");
  setSummary(parts.join(QString::fromUtf8(" · ")), formulas.join('\n'));
}

}  // namespace moe::ui
