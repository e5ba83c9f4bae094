#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/router/recipe_rows.h"
#include "core/train/run_config.h"
#include "core/train/run_rows.h"

namespace moe {
namespace {

using nlohmann::json;

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> words(1);
  for (char c : path)
    if (c == '.')
      words.emplace_back();
    else
      words.back() += c;
  return words;
}

/// Where a path's first word lives: itself at the top, or a stage of the recipe.
std::vector<std::string> located(const std::string& path) {
  std::vector<std::string> words = split(path);
  const std::string inside = words.front() + ".";
  const bool stage = std::ranges::any_of(
      recipeRows().paths(), [&](std::string_view row) { return row == words.front() || row.starts_with(inside); });
  if (stage) words.insert(words.begin(), "recipe");
  return words;
}

/// The entry a word names in a list; nothing where it is no number.
std::optional<std::size_t> indexOf(const std::string& word) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return index;
}

const json* lookUp(const json& root, std::span<const std::string> words) {
  const json* at = &root;
  for (const std::string& word : words) {
    if (at->is_object() && at->contains(word)) {
      at = &(*at)[word];
    } else if (const auto index = indexOf(word); at->is_array() && index && *index < at->size()) {
      at = &(*at)[*index];
    } else {
      return nullptr;
    }
  }
  return at;
}

[[noreturn]] void unknown(const std::string& path) {
  throw Error("config",
              path +
                  ": unknown setting; expected a stage of the recipe (select.k, balance.0.coefficient), "
                  "model.*, train.*, data.*, alerts.*, start_from.checkpoint, seed, threads, backend or dtype");
}

/// The object or list entry that holds the last word, made where it is missing. A list grows by one at most.
json& holder(json& root, const std::vector<std::string>& words, const std::string& path) {
  json* at = &root;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (at->is_array()) {
      const auto index = indexOf(words[i]);
      if (!index || *index > at->size())
        throw Error("config",
                    path + ": expected an index from 0 to " + std::to_string(at->size()) + ", found " + words[i]);
      if (*index == at->size()) at->push_back(json::object());
      at = &(*at)[*index];
    } else if (at->is_object()) {
      const bool list = words[i] == "balance" || words[i] == "losses";
      if (!at->contains(words[i])) (*at)[words[i]] = list ? json::array() : json::object();
      at = &(*at)[words[i]];
    } else {
      unknown(path);
    }
  }
  return *at;
}

/// Takes the setting back to its default. An optional part goes with the key that made it, a balance term with its
/// coefficient, so that undoing a knob that created one leaves no trace.
void erase(json& root, std::vector<std::string> words) {
  const bool wholePart =
      words.size() == 4 && words[0] == "recipe" &&
      ((words[2] == "selection_bias" && words[3] == "rate") || (words[1] == "balance" && words[3] == "coefficient"));
  if (wholePart) words.pop_back();
  const std::string last = words.back();
  words.pop_back();
  json* at = const_cast<json*>(lookUp(root, words));
  if (!at) return;
  if (at->is_object()) at->erase(last);
  if (const auto index = indexOf(last); at->is_array() && index && *index < at->size())
    at->erase(at->begin() + static_cast<std::ptrdiff_t>(*index));
}

}  // namespace

void setByPath(RunConfig& config, const std::string& path, const std::string& value) {
  const std::vector<std::string> words = located(path);
  std::string problem;
  json parsed = parseStrictJson(value, kDeepestJson, problem);
  if (parsed.is_discarded())
    parsed = value;
  else if (!problem.empty())
    throw Error("config", path + ": " + problem);
  json all = toJson(config);
  // Where a text stands, a text is set, though it look like a number.
  const json* present = lookUp(all, words);
  if (present && present->is_string() && (parsed.is_number() || parsed.is_boolean() || parsed.is_array()))
    parsed = value;
  if (path == "data.tokenizer" || path == "data.vocabulary") all["model"].erase("vocabulary");
  const bool newTerm = words.size() == 4 && words[1] == "balance" && !lookUp(all, std::span(words).first(3));
  if (parsed.is_null()) {
    getByPath(config, path);
    erase(all, words);
  } else {
    json& at = holder(all, words, path);
    if (at.is_array()) {
      const auto index = indexOf(words.back());
      if (!index || *index > at.size())
        throw Error("config",
                    path + ": expected an index from 0 to " + std::to_string(at.size()) + ", found " + words.back());
      if (*index == at.size())
        at.push_back(parsed);
      else
        at[*index] = parsed;
    } else if (at.is_object()) {
      at[words.back()] = parsed;
    } else {
      unknown(path);
    }
    if (newTerm && !at.contains("name")) at["name"] = words[2] == "0" ? "aux" : "aux" + words[2];
    if (newTerm && !at.contains("kind")) at["kind"] = "load";
  }
  config = runConfigFromJson(all);
}

std::string getByPath(const RunConfig& config, const std::string& path) {
  const std::vector<std::string> words = located(path);
  const json all = toJson(config);
  if (const json* found = lookUp(all, words)) return found->dump();
  if (words[0] != "recipe" || words.size() < 2 || config.model.layers.empty()) unknown(path);
  const std::span inRecipe = std::span(words).subspan(1);
  const json recipe = recipeRows().complete(config.model.layers.front().recipe);
  if (const json* found = lookUp(recipe, inRecipe)) return found->dump();
  // An entry beyond the list's end has the keys of its table, and no values.
  for (const SettingList<Recipe>& list : recipeRows().lists())
    if (path.starts_with(list.path) && findSetting(path)) return "null";
  unknown(path);
}

bool changesLive(const std::string& path) {
  const Setting* setting = findSetting(path);
  return setting && setting->changesLive;
}

}  // namespace moe
