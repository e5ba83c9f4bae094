#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// One choice of a setting: a row of its combo box. `id` is the word in files.
struct StageOption {
  std::string_view id, label;
  std::string_view formula;      // one line of plain text
  std::string_view tooltip;      // one sentence
  std::string unavailable = {};  // why it cannot be chosen on this machine, as a sentence; empty: it can
};

enum class SettingKind { choice, number, integer, boolean, integerList };  // integerList: also one integer

/// One setting of a stage. `path` is the dotted path of the recipe ("select.k"); for balance terms it is relative to
/// the term ("coefficient").
struct StageSetting {
  std::string_view path, label;
  SettingKind kind = SettingKind::number;
  double minimum = 0, maximum = 1, step = 0.01;
  std::string_view unit = {};  // "steps", "experts" ...; empty where it is a plain number
  std::string_view formula = {}, tooltip = {};
  bool changesLive = false;               // may change while a run trains: it moves no shape
  std::vector<StageOption> options = {};  // of a choice
};

/// A part of a stage that is absent until it is switched on: its settings stand under `path`.
struct StagePart {
  std::string_view path, label, tooltip;
};

/// One stage of the pipeline as the screen shows it. The first setting that is a choice names what the card displays.
struct StageInfo {
  std::string_view id, label;  // id: the recipe's key
  std::string_view tooltip;
  std::vector<StageSetting> settings;
  std::vector<StagePart> parts;
};

/// The stages in the order a token passes them: logits, perturb, score, adjust, select, weigh, capacity, experts,
/// combine, balance.
const std::vector<StageInfo>& stages();

/// Null where no stage has this id.
const StageInfo* findStage(std::string_view id);
/// The setting at a dotted path of the recipe ("select.k", "balance.0.coefficient"). Null where there is none.
const StageSetting* findSetting(std::string_view path);

}  // namespace moe
