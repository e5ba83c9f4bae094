#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// The most a seed of 64 bits is, as the double that a range is kept in.
inline constexpr double kMostSeed = 18446744073709551616.0;

/// One choice of a setting: a row of its combo box. `id` is the word in files.
struct SettingWord {
  std::string_view id, label;
  std::string_view formula;      // one line of plain text
  std::string_view tooltip;      // one sentence
  std::string unavailable = {};  // why it cannot be chosen on this machine, as a sentence; empty: it can
};

enum class SettingKind { choice, number, integer, boolean, integerList, text };  // integerList: also one integer

/// What is said of one setting: to people, to `--help`, to whoever checks a value. Where it stands in a configuration
/// its row says (row.h).
struct Setting {
  std::string_view path;        // dotted ("select.k"); in an entry of a list, relative to the entry ("coefficient")
  std::string_view label = {};  // empty: no field of its own on the screen
  SettingKind kind = SettingKind::number;  // follows from the member
  double minimum = 0, maximum = 1;         // of a number, an integer and the entries of a list, both included
  double step = 0.01;                      // of a field's arrows
  std::string_view unit = {};              // "steps", "experts" ...; empty where it is a plain number
  std::string_view formula = {}, tooltip = {};
  bool changesLive = false;             // may change while a run trains: it moves no shape
  bool mayBeNone = false;               // follows from the member: null means no limit
  std::vector<SettingWord> words = {};  // of a choice
  std::string standard = {};            // the default as JSON text; null where its part is absent by default
};

/// A part that is absent until it is switched on: its settings stand under `path`.
struct SettingPart {
  std::string_view path, label, tooltip;
};

/// What stands together on the screen: a stage of the pipeline, or a section such as the training.
struct SettingSection {
  std::string_view id, label, tooltip;
  std::vector<Setting> settings = {};
  std::vector<SettingPart> parts = {};
};

/// The part that a setting belongs to, null where it is always there.
const SettingPart* partOf(const SettingSection& section, std::string_view path);

/// "a whole number from 1 to 65,536": what is expected of a number's value; empty where any value of its kind will do.
std::string expectedOf(const Setting& setting);

}  // namespace moe
