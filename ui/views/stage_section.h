#pragma once
#include <map>

#include "ui/views/recipe_section.h"

class QCheckBox;

namespace moe::ui {

class SourceField;

/// A routing stage, or one of model, data, training and alerts, filled from its table.
class StageSection : public RecipeSection {
  Q_OBJECT

 public:
  StageSection(Theme& theme, RecipeDraft& draft, const SettingSection& stage, QWidget* parent = nullptr);
  void refresh() override;
  /// The switch of a part that may be absent ("adjust.selection_bias").
  QCheckBox* partSwitch(const std::string& part) const;

 protected:
  bool shown(const std::string& path) const override;
  void summarise() override;

 private:
  struct Part {
    std::string path, first;  // first: its first setting, which is there when the part is
    QCheckBox* on = nullptr;
  };
  bool present(const Part& part) const;

  std::vector<Part> parts_;
  SourceField* source_ = nullptr;  // of the data alone
};

}  // namespace moe::ui
