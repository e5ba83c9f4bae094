#include "ui/models/recipe_draft.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/model/segments.h"
#include "ui/models/run_settings.h"

namespace moe::ui {

namespace {

/// A sentence without the tag of the part that speaks: it stands beside its field.
std::string sentenceOf(const Error& error) {
  const std::string words = error.what(), tag = "[" + error.tag() + "] ";
  return words.starts_with(tag) ? words.substr(tag.size()) : words;
}

const std::vector<Recipe::BalanceTerm>& termsOf(const RunConfig& config) {
  static const std::vector<Recipe::BalanceTerm> kNone;
  return config.model.layers.empty() ? kNone : config.model.layers.front().recipe.balance;
}

bool isTerm(const std::string& path) { return path.starts_with("balance."); }
std::size_t termIndex(const std::string& path) { return static_cast<std::size_t>(std::atoi(path.c_str() + 8)); }

/// Why a typed number is none of this setting's; empty where it is one.
std::string numberFault(const std::string& path, const std::string& value) {
  const Setting* setting = findSetting(path);
  if (!setting || (setting->kind != SettingKind::number && setting->kind != SettingKind::integer)) return {};
  const bool integer = setting->kind == SettingKind::integer;
  std::string sentence = expectedOf(*setting) + " is needed here.";
  sentence.front() = 'A';
  if (value == "null") return setting->mayBeNone ? "" : sentence;
  std::string problem;
  const nlohmann::json number = parseStrictJson(value, kDeepestJson, problem);
  if (!number.is_number() || (integer && !number.is_number_integer())) return sentence;
  const double size = number.get<double>();
  return size >= setting->minimum && size <= setting->maximum ? "" : sentence;
}

/// In the one form that reading what was written gives, so that equal settings compare equal.
RunConfig normalised(const RunConfig& config) { return runConfigFromJson(toJson(config)); }

}  // namespace

RecipeDraft::RecipeDraft(QObject* parent) : QObject(parent) { choosePreset(presets().front().id); }

void RecipeDraft::setPresent(RunId run, const std::optional<RunConfig>& config) {
  if (!config) {
    if (!present_) return;
    present_.reset();
    sent_.clear();
    return settle();
  }
  RunConfig now = normalised(*config);
  if (run != run_) {
    run_ = run;
    present_ = now;
    sent_.clear();
    expected_ = std::move(now);
    return discard();
  }
  if (present_ == now) return;
  const RunConfig before = expected_;
  present_ = now;
  expected_ = std::move(now);
  std::erase_if(sent_,
                [&](const auto& knob) { return getByPath(expected_, knob.first) == getByPath(before, knob.first); });
  for (const auto& [path, value] : sent_) setByPath(expected_, path, value);
  follow(before);
  settle();
}

/// Takes into the draft what changed in the run where the draft had agreed with it.
void RecipeDraft::follow(const RunConfig& before) {
  if (draft_ == before) {
    draft_ = expected_;
    return;
  }
  const bool sameTerms = termsOf(draft_) == termsOf(before),
             asMany = termsOf(draft_).size() == termsOf(expected_).size();
  if (sameTerms)
    for (LayerConfig& layer : draft_.model.layers) layer.recipe.balance = termsOf(expected_);
  for (const std::string& path : settingPaths(draft_)) {
    if (isTerm(path) && (sameTerms || !asMany || termsOf(before).size() != termsOf(expected_).size())) continue;
    const std::string was = getByPath(before, path), is = getByPath(expected_, path);
    if (was != is && getByPath(draft_, path) == was) setByPath(draft_, path, is);
  }
}

void RecipeDraft::change(const std::string& path, const std::string& value) {
  if (const std::string fault = numberFault(path, value); !fault.empty()) {
    unreadable_[path] = fault;
    return settle();
  }
  set(path, value);
}

void RecipeDraft::set(const std::string& path, const std::string& value) {
  RunConfig wanted = draft_;
  try {
    setByPath(wanted, path, value);
  } catch (const Error& error) {
    unreadable_[path] = sentenceOf(error);
    return settle();
  }
  unreadable_.erase(path);
  turnIfLive(path, value, wanted);
  draft_ = std::move(wanted);
  settle();
}

void RecipeDraft::turnIfLive(const std::string& path, const std::string& value, const RunConfig& wanted) {
  if (!present_ || !changesLive(path)) return;
  RunConfig after = expected_;
  try {
    setByPath(after, path, value);
  } catch (const Error&) {
    return;  // it fits the draft alone, and waits with it
  }
  if (after == expected_ || !moe::problems(after).empty() || !sameSegments(after.model, expected_.model)) return;
  if (isTerm(path)) {
    const std::size_t i = termIndex(path);
    if (i >= termsOf(after).size() || i >= termsOf(wanted).size() || termsOf(after)[i] != termsOf(wanted)[i]) return;
  }
  expected_ = std::move(after);
  sent_[path] = value;
  Q_EMIT knobTurned(path, value);
}

void RecipeDraft::switchPart(const std::string& part, const std::string& first, bool on) {
  const bool live = changesLive(first);
  if (!on) return set(live ? first : part, "null");
  RunConfig with = draft_;
  const bool inPreset = preset_ && getByPath(*preset_, first) != "null";
  const std::string whole = inPreset ? getByPath(*preset_, part) : "{}";
  setByPath(with, part, whole);
  if (live)
    set(first, getByPath(with, first));
  else
    set(part, whole);
}

void RecipeDraft::addBalanceTerm() { set("balance." + std::to_string(termsOf(draft_).size()) + ".coefficient", "0"); }

void RecipeDraft::removeBalanceTerm(int index) {
  std::erase_if(unreadable_, [](const auto& entry) { return isTerm(entry.first); });  // they name terms by place
  set("balance." + std::to_string(index), "null");
}

void RecipeDraft::choosePreset(const std::string& id) {
  RunConfig next = runConfigOfPreset(id);
  if (!draft_.model.layers.empty()) {
    next.data = draft_.data;
    next.model.vocabulary = draft_.model.vocabulary;
    next.seed = draft_.seed;
    next.threads = draft_.threads;
    next.backend = draft_.backend;
    next.alerts = draft_.alerts;
  }
  draft_ = normalised(next);
  unreadable_.clear();
  settle();
}

const TextSize& RecipeDraft::textSize() const {
  if (measured_ != draft_.data) {
    std::error_code code;
    // A folder may be the whole disk, and the window does not wait for a walk through that: the worker takes it.
    text_ = std::filesystem::is_directory(draft_.data.source, code) ? TextSize{} : moe::textSize(draft_.data);
    measured_ = draft_.data;
  }
  return text_;
}

std::string RecipeDraft::text() const {
  const nlohmann::json all = toJson(draft_);
  nlohmann::ordered_json shown;  // the routing first: it is what one comes here for
  for (const char* key : {"recipe", "layer_recipes", "model", "train"})
    if (all.contains(key)) shown[key] = all[key];
  for (const auto& [key, value] : all.items())
    if (!shown.contains(key)) shown[key] = value;
  return shown.dump(2);
}

RecipeDraft::Reading RecipeDraft::read(const std::string& text) {
  Reading reading;
  try {
    std::string problem;
    const nlohmann::json json = parseStrictJson(text, kDeepestJson, problem);
    if (!problem.empty()) {
      reading.sentence = (json.is_discarded() ? "This is no JSON yet: " : "This cannot be read: ") + problem + ".";
      return reading;
    }
    reading.config = normalised(runConfigFromJson(json));
    const auto wrong = moe::problems(*reading.config);
    if (!wrong.empty()) reading.sentence = wrong.front().path + ": " + wrong.front().sentence;
  } catch (const Error& error) {
    reading.sentence = sentenceOf(error);
  } catch (const nlohmann::json::exception& error) { reading.sentence = error.what(); }
  return reading;
}

void RecipeDraft::take(const RunConfig& config) {
  draft_ = normalised(config);
  unreadable_.clear();
  settle();
}

void RecipeDraft::reset(const std::string& path) {
  if (const auto standard = presetValue(path)) set(path, *standard);
}

void RecipeDraft::discard() {
  if (present_)
    draft_ = expected_;
  else
    choosePreset(draft_.preset.empty() ? presets().front().id : draft_.preset);
  unreadable_.clear();
  settle();
}

void RecipeDraft::takeBack() {
  if (!present_ || sent_.empty()) return;
  const RunConfig before = expected_;
  expected_ = *present_;
  sent_.clear();
  follow(before);
  settle();
}

const std::string& RecipeDraft::valueIn(Values& values, const RunConfig& config, const std::string& path) {
  const auto found = values.find(path);
  return found != values.end() ? found->second : values.emplace(path, getByPath(config, path)).first->second;
}

std::string RecipeDraft::value(const std::string& path) const { return valueIn(draftValues_, draft_, path); }

std::optional<std::string> RecipeDraft::presetValue(const std::string& path) const {
  if (!preset_ || (isTerm(path) && termIndex(path) >= termsOf(*preset_).size())) return std::nullopt;
  std::string value = valueIn(presetValues_, *preset_, path);
  if (const Setting* setting = findSetting(path); value == "null" && !(setting && setting->mayBeNone))
    return std::nullopt;
  return value;
}

bool RecipeDraft::pending(const std::string& path) const {
  return present_ && value(path) != valueIn(expectedValues_, expected_, path);
}

bool RecipeDraft::anythingPending() const { return !present_ || draft_ != expected_; }

bool RecipeDraft::unreadable(const std::string& path) const { return unreadable_.count(path) != 0; }

QString RecipeDraft::problem(const std::string& path) const {
  for (const Problem& problem : problems_)
    if (problem.path == path || problem.path.starts_with(path + ".")) return QString::fromStdString(problem.sentence);
  return {};
}

void RecipeDraft::settle() {
  if (!preset_ || preset_->preset != draft_.preset) {
    preset_.reset();
    presetValues_.clear();
    for (const Preset& preset : presets())
      if (preset.id == draft_.preset) preset_ = normalised(runConfigOfPreset(preset.id));
  }
  draftValues_.clear();
  expectedValues_.clear();
  problems_.clear();
  for (const auto& [path, sentence] : unreadable_) problems_.push_back({path, sentence});
  for (Problem& problem : moe::problems(draft_)) problems_.push_back(std::move(problem));
  Q_EMIT changed();
}

}  // namespace moe::ui
