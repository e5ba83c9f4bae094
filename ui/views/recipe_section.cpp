#include "ui/views/recipe_section.h"

#include <QVBoxLayout>
#include <algorithm>

#include "core/backend/registry.h"
#include "core/router/problems.h"
#include "ui/models/recipe_draft.h"
#include "ui/models/run_settings.h"
#include "ui/widgets/setting_field.h"

namespace moe::ui {

namespace {

QString words(std::string_view text) { return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())); }

}  // namespace

RecipeSection::RecipeSection(Theme& theme, RecipeDraft& draft, const SettingSection& stage, QWidget* parent)
    : StageCard(theme, words(stage.label), words(stage.tooltip), parent), theme_(theme), draft_(draft), stage_(stage) {}

SettingField* RecipeSection::addField(const Setting& setting, const std::string& path, QVBoxLayout* into) {
  auto* field = new SettingField(theme_, setting, QString::fromStdString(path), this);
  connect(field, &SettingField::edited, this, [this](const QString& where, const QString& value) {
    draft_.change(where.toStdString(), value.toStdString());
  });
  connect(field, &SettingField::resetWanted, this, [this](const QString& where) { draft_.reset(where.toStdString()); });
  into->addWidget(field);
  fields_.push_back(field);
  return field;
}

bool RecipeSection::shown(const std::string& path) const { return matters(draft_.config(), path); }

QString RecipeSection::hostRouting() const {
  const RunConfig& config = draft_.config();
  for (const LayerConfig& layer : config.model.layers)
    if (layer.hasExperts) return QString::fromStdString(hostRouted(config.backend, layer.recipe));
  return {};
}

void RecipeSection::refresh() {
  bool pending = false;
  for (SettingField* field : fields_) {
    const std::string path = field->path().toStdString();
    const std::string value = draft_.value(path);
    const auto preset = draft_.presetValue(path);
    const SettingField::State state{.value = QString::fromStdString(value),
                                    .live = draft_.running() && changesLive(path),
                                    .pending = draft_.pending(path),
                                    .canReset = preset && (*preset != value || draft_.unreadable(path)),
                                    .presetValue = QString::fromStdString(preset.value_or("")),
                                    .problem = draft_.problem(path),
                                    .unreadable = draft_.unreadable(path)};
    field->setState(state);
    field->setVisible(!state.problem.isEmpty() || shown(path));
    pending |= state.pending;
  }
  const std::string start = std::string(stage_.id) + '.';
  const auto& problems = draft_.problems();
  const bool wrong =
      std::any_of(problems.begin(), problems.end(), [&](const Problem& p) { return p.path.starts_with(start); });
  setMarks(pending, wrong);
  QString note;
  if (!draft_.config().model.layers.empty())
    for (const Problem& mark : marks(draft_.config().model.layers.front().recipe))
      if (mark.path.starts_with(start)) note = QString::fromStdString(mark.sentence);
  if (note.isEmpty() && stage_.id == "select") note = hostRouting();
  setNote(note);
  summarise();
}

}  // namespace moe::ui
