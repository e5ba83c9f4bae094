#pragma once
#include <string>
#include <vector>

#include "core/config/setting.h"
#include "ui/widgets/stage_card.h"

namespace moe::ui {

class RecipeDraft;
class SettingField;

/// One card of the recipe: fields that show a draft's settings and change them.
class RecipeSection : public StageCard {
  Q_OBJECT

 public:
  RecipeSection(Theme& theme, RecipeDraft& draft, const SettingSection& stage, QWidget* parent = nullptr);

  const SettingSection& stage() const { return stage_; }
  const std::vector<SettingField*>& fields() const { return fields_; }
  /// Shows the draft as it is now.
  virtual void refresh();

 protected:
  SettingField* addField(const Setting& setting, const std::string& path, QVBoxLayout* into);
  void dropFields() { fields_.clear(); }
  /// Why the chosen backend routes this recipe on the host; empty where it does not.
  QString hostRouting() const;
  virtual bool shown(const std::string& path) const;
  virtual void summarise() = 0;

  Theme& theme_;
  RecipeDraft& draft_;
  const SettingSection& stage_;

 private:
  std::vector<SettingField*> fields_;
};

}  // namespace moe::ui
