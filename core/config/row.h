#pragma once
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "core/base/json_value.h"
#include "core/config/problem.h"
#include "core/config/setting.h"

namespace moe {

/// A row: what is said of a setting, and where its value stands in a configuration.
template <class Config>
struct SettingRow {
  using Read = std::function<void(Config&, const nlohmann::json&, const ValuePlace&)>;
  using Write = std::function<nlohmann::json(const Config&)>;
  using Asks = std::function<bool(const Config&)>;

  Setting setting;
  Read read;             // throws Error where a value is none of this setting's
  Write write;           // null: its part is absent, or it has no value
  Asks relevant = {};    // whether it means anything as the others stand: no sigma without noise; empty: always
  bool written = false;  // in files even where it is the default
  std::string_view required = {};  // what is expected where a file leaves it out; empty: it may be left out

  SettingRow when(Asks asks) && {
    relevant = std::move(asks);
    return std::move(*this);
  }
  SettingRow alwaysWritten() && {
    written = true;
    return std::move(*this);
  }
  SettingRow requires_(std::string_view expected) && {
    written = true;
    required = expected;
    return std::move(*this);
  }
  /// The word that a choice has in `config`; null where it has none.
  const SettingWord* wordIn(const Config& config) const {
    const nlohmann::json value = write(config);
    for (const SettingWord& word : setting.words)
      if (value == word.id) return &word;
    return nullptr;
  }
  bool relevantIn(const Config& config) const { return !relevant || relevant(config); }
};

/// A part that is absent until it is switched on.
template <class Config>
struct SettingPartRow {
  SettingPart part;
  std::function<bool(const Config&)> present;
  std::function<void(Config&)> make;
};

namespace rows {

template <class Value>
inline constexpr bool isOptional = false;
template <class Value>
inline constexpr bool isOptional<std::optional<Value>> = true;

template <class Member>
struct MemberOf;
template <class Owner, class Value>
struct MemberOf<Value Owner::*> {
  using owner = Owner;
  using value = Value;
};
template <auto First, auto...>
struct Path {
  using owner = typename MemberOf<decltype(First)>::owner;
};
template <auto... Members>
using OwnerOf = typename Path<Members...>::owner;

/// The last of a chain of members; null where a part on the way is absent.
template <auto First, auto... Rest, class Owner>
auto* find(Owner& owner) {
  auto& value = owner.*First;
  if constexpr (sizeof...(Rest) == 0)
    return &value;
  else if constexpr (isOptional<std::remove_cvref_t<decltype(value)>>)
    return value ? find<Rest...>(*value) : nullptr;
  else
    return find<Rest...>(value);
}

/// The same, with the parts on the way made.
template <auto First, auto... Rest, class Owner>
auto& make(Owner& owner) {
  auto& value = owner.*First;
  if constexpr (sizeof...(Rest) == 0)
    return value;
  else if constexpr (isOptional<std::remove_cvref_t<decltype(value)>>)
    return make<Rest...>(value ? *value : value.emplace());
  else
    return make<Rest...>(value);
}

template <class Value>
constexpr SettingKind kindOf() {
  if constexpr (isOptional<Value>)
    return kindOf<typename Value::value_type>();
  else if constexpr (std::is_same_v<Value, bool>)
    return SettingKind::boolean;
  else if constexpr (std::is_integral_v<Value>)
    return SettingKind::integer;
  else if constexpr (std::is_floating_point_v<Value>)
    return SettingKind::number;
  else if constexpr (std::is_same_v<Value, std::string>)
    return SettingKind::text;
  else
    return SettingKind::integerList;
}

/// The row of a number, a truth, a text or a list: the last of a chain of members.
template <auto... Members>
auto value(Setting setting) {
  using Config = OwnerOf<Members...>;
  using Value = std::remove_cvref_t<decltype(make<Members...>(std::declval<Config&>()))>;
  setting.kind = kindOf<Value>();
  setting.mayBeNone = isOptional<Value>;
  return SettingRow<Config>{std::move(setting),
                            [](Config& config, const nlohmann::json& json, const ValuePlace& place) {
                              readValue(json, place, make<Members...>(config));
                            },
                            [](const Config& config) -> nlohmann::json {
                              const auto* found = find<Members...>(config);
                              return found ? valueJson(*found) : nlohmann::json();
                            }};
}

/// The row of a text of any bytes, such as a path.
template <auto... Members>
auto bytes(Setting setting) {
  using Config = OwnerOf<Members...>;
  auto row = value<Members...>(std::move(setting));
  row.read = [](Config& config, const nlohmann::json& json, const ValuePlace& place) {
    readBytes(json, place, make<Members...>(config));
  };
  row.write = [](const Config& config) -> nlohmann::json { return bytesJson(*find<Members...>(config)); };
  return row;
}

/// A word and the value it stands for.
template <class Value>
struct Choice {
  Value value;
  SettingWord word;
};
template <class Value>
using Choices = std::vector<Choice<Value>>;

/// The row of a choice among words.
template <auto... Members, class Value>
auto choice(Setting setting, const Choices<Value>& choices) {
  using Config = OwnerOf<Members...>;
  setting.kind = SettingKind::choice;
  auto values = std::make_shared<std::vector<std::pair<std::string_view, Value>>>();
  for (const Choice<Value>& each : choices) {
    setting.words.push_back(each.word);
    values->emplace_back(each.word.id, each.value);
  }
  return SettingRow<Config>{std::move(setting),
                            [values](Config& config, const nlohmann::json& json, const ValuePlace& place) {
                              std::vector<std::string_view> words;
                              for (const auto& [word, value] : *values) words.push_back(word);
                              make<Members...>(config) = (*values)[readWord(json, place, words)].second;
                            },
                            [values](const Config& config) -> nlohmann::json {
                              const auto* found = find<Members...>(config);
                              if (!found) return {};
                              for (const auto& [word, value] : *values)
                                if (value == *found) return word;
                              return {};
                            }};
}

/// A key with one word only: said aloud in files, nothing to keep.
template <class Config>
SettingRow<Config> constant(std::string_view path, std::string_view word) {
  Setting setting{.path = path, .kind = SettingKind::choice};
  setting.words = {{word, {}, {}, {}}};
  return {std::move(setting),
          [word](Config&, const nlohmann::json& json, const ValuePlace& place) {
            readWord(json, place, std::span(&word, 1));
          },
          [word](const Config&) -> nlohmann::json { return word; }};
}

/// The part that a chain of members ends in, an optional.
template <auto... Members>
auto part(SettingPart words) {
  using Config = OwnerOf<Members...>;
  return SettingPartRow<Config>{words,
                                [](const Config& config) {
                                  const auto* found = find<Members...>(config);
                                  return found && found->has_value();
                                },
                                [](Config& config) { make<Members...>(config).emplace(); }};
}

}  // namespace rows
}  // namespace moe
