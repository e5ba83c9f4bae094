#pragma once
#include <QWidget>
#include <optional>

#include "core/config/setting.h"

class QCheckBox;
class QComboBox;
class QGridLayout;
class QLabel;
class QLineEdit;
class QToolButton;

namespace moe::ui {

class NumberField;
class Theme;

/// One setting with its name, its editor, what it is (live, waiting), a way back to the preset, and what is wrong with
/// it. Built from the setting's row in its table; values go in and out as JSON text.
class SettingField : public QWidget {
  Q_OBJECT

 public:
  /// How the setting stands.
  struct State {
    QString value;
    bool live = false, pending = false;
    bool canReset = false;
    QString presetValue;
    QString problem;
    bool unreadable = false;  // what was typed is no value: it stays in the editor, to be put right
    bool operator==(const State&) const = default;
  };

  /// `path`: the whole dotted path. A text has no field of this kind.
  SettingField(Theme& theme, const Setting& setting, const QString& path, QWidget* parent = nullptr);

  const QString& path() const { return path_; }
  const Setting& setting() const { return setting_; }
  void setState(const State& state);
  const State& state() const { return *state_; }
  /// The editor itself: a combo box, check box, number field or line edit.
  QWidget* editor() const { return editor_; }
  QToolButton* resetButton() const { return reset_; }
  /// The sentence beside the field; empty where nothing is wrong.
  QString sentence() const;

 Q_SIGNALS:
  void edited(const QString& path, const QString& value);
  void resetWanted(const QString& path);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void makeEditor();
  void arrange();
  void paint();
  void showValue();
  void showFormula();

  Theme& theme_;
  const Setting& setting_;
  QString path_;
  std::optional<State> state_;
  QGridLayout* grid_;
  QLabel *name_, *mark_, *formula_, *problem_;
  QToolButton* reset_;
  QWidget* editor_ = nullptr;
  QComboBox* combo_ = nullptr;
  QCheckBox* check_ = nullptr;
  NumberField* number_ = nullptr;
  QLineEdit* list_ = nullptr;
};

}  // namespace moe::ui
