#pragma once
#include <algorithm>

#include "core/base/error.h"
#include "core/config/table.h"

namespace moe {

namespace rows {

/// The value at a dotted path; null where there is none.
const nlohmann::json* valueAt(const nlohmann::json& root, std::string_view path);
/// Puts a value at a dotted path, with the objects on the way.
void putAt(nlohmann::json& root, std::string_view path, nlohmann::json value);
std::string joined(const std::string& path, std::string_view key);
/// Refuses a key of `source`, or of the objects in it, that no path names. null stands for a part that is absent.
void refuseUnknownKeys(const nlohmann::json& source, const ValuePlace& place,
                       const std::vector<std::string_view>& paths, const std::vector<std::string_view>& parts);
/// Why a value lies outside its setting's range, as a sentence; empty: it does not.
std::string rangeFault(const Setting& setting, const nlohmann::json& value);

}  // namespace rows

/// All rows of a configuration, and what derives from them: reading and writing JSON, defaults, ranges, relevance.
template <class Config>
class SettingRows {
 public:
  SettingRows(std::vector<SettingTable<Config>> tables, std::vector<SettingList<Config>> lists = {})
      : tables_(std::move(tables)), lists_(std::move(lists)) {
    for (const SettingTable<Config>& table : tables_) {
      for (const SettingRow<Config>& row : table.rows) paths_.push_back(row.setting.path);
      for (const SettingPartRow<Config>& row : table.parts) parts_.push_back(row.part.path);
    }
    for (const SettingList<Config>& list : lists_) paths_.push_back(list.path);
  }

  const std::vector<SettingTable<Config>>& tables() const { return tables_; }
  const std::vector<SettingList<Config>>& lists() const { return lists_; }
  /// Of all rows and lists.
  const std::vector<std::string_view>& paths() const { return paths_; }

  /// Null where no row has this path.
  const SettingRow<Config>* find(std::string_view path) const {
    for (const SettingTable<Config>& table : tables_)
      for (const SettingRow<Config>& row : table.rows)
        if (row.setting.path == path) return &row;
    return nullptr;
  }

  /// Reads an object; what it leaves out stays as it is in `config`. Throws Error naming the path of an unknown key, an
  /// unknown word or a wrong type. `others`: keys that someone else reads.
  void read(const nlohmann::json& source, Config& config, const ValuePlace& place,
            const std::vector<std::string_view>& others = {}) const {
    std::vector<std::string_view> known = paths_;
    known.insert(known.end(), others.begin(), others.end());
    rows::refuseUnknownKeys(source, place, known, parts_);
    for (const SettingTable<Config>& table : tables_) {
      for (const SettingPartRow<Config>& row : table.parts)
        if (const nlohmann::json* part = rows::valueAt(source, row.part.path); part && !part->is_null())
          row.make(config);
      for (const SettingRow<Config>& row : table.rows) {
        const ValuePlace at{place.tag, rows::joined(place.path, row.setting.path)};
        if (const nlohmann::json* value = rows::valueAt(source, row.setting.path)) {
          if (!(row.setting.mayBeNone && value->is_null())) row.read(config, *value, at);
        } else if (!row.required.empty()) {
          throw Error(at.tag, at.path + ": expected " + std::string(row.required) + ", found nothing");
        }
      }
    }
    for (const SettingList<Config>& list : lists_)
      if (const nlohmann::json* value = rows::valueAt(source, list.path))
        list.read(config, *value, {place.tag, rows::joined(place.path, list.path)});
  }

  /// Every value that differs from the default, those always written, and all of a part that is on, whose empty object
  /// would read as on but say nothing.
  nlohmann::json write(const Config& config) const {
    nlohmann::json out = nlohmann::json::object();
    for (const SettingTable<Config>& table : tables_)
      for (const SettingRow<Config>& row : table.rows) {
        nlohmann::json value = row.write(config);
        if (value.is_null()) continue;
        const bool differs = row.written || inPart(table, row) || value.dump() != row.setting.standard;
        if (differs && !isConstant(row)) rows::putAt(out, row.setting.path, std::move(value));
      }
    for (const SettingList<Config>& list : lists_)
      if (nlohmann::json value = list.write(config); !value.empty()) rows::putAt(out, list.path, std::move(value));
    return out;
  }

  /// Every key with its present value, null where there is none.
  nlohmann::json complete(const Config& config) const {
    nlohmann::json out = nlohmann::json::object();
    for (const SettingTable<Config>& table : tables_)
      for (const SettingRow<Config>& row : table.rows) rows::putAt(out, row.setting.path, row.write(config));
    for (const SettingList<Config>& list : lists_) rows::putAt(out, list.path, list.complete(config));
    return out;
  }

  /// Every value outside its range, but a default that means nothing as the others stand.
  std::vector<Problem> outOfRange(const Config& config, const std::string& path = {}) const {
    std::vector<Problem> found;
    for (const SettingTable<Config>& table : tables_)
      for (const SettingRow<Config>& row : table.rows)
        if (const nlohmann::json value = row.write(config);
            row.relevantIn(config) || value.dump() != row.setting.standard)
          if (std::string sentence = rows::rangeFault(row.setting, value); !sentence.empty())
            found.push_back({rows::joined(path, row.setting.path), std::move(sentence)});
    for (const SettingList<Config>& list : lists_) list.check(config, rows::joined(path, list.path), found);
    return found;
  }

 private:
  static bool inPart(const SettingTable<Config>& table, const SettingRow<Config>& row) {
    return std::ranges::any_of(table.parts, [&](const SettingPartRow<Config>& part) {
      return row.setting.path.starts_with(part.part.path) && row.setting.path[part.part.path.size()] == '.';
    });
  }
  static bool isConstant(const SettingRow<Config>& row) {
    return row.setting.kind == SettingKind::choice && row.setting.words.size() == 1;
  }

  std::vector<SettingTable<Config>> tables_;
  std::vector<SettingList<Config>> lists_;
  std::vector<std::string_view> paths_, parts_;
};

namespace rows {

/// The list that a chain of members ends in. `named` is called on every entry once it has been read.
template <auto... Members, class Entry>
auto list(std::string_view path, const SettingRows<Entry>& entries,
          std::type_identity_t<void (*)(Entry&, const nlohmann::json&)> named) {
  using Config = OwnerOf<Members...>;
  SettingList<Config> row;
  row.path = path;
  row.read = [&entries, named](Config& config, const nlohmann::json& json, const ValuePlace& place) {
    if (!json.is_array()) refuseValue(place, json, "a list");
    for (std::size_t i = 0; i < json.size(); ++i) {
      Entry entry;
      entries.read(json[i], entry, {place.tag, place.path + "." + std::to_string(i)});
      named(entry, json[i]);
      make<Members...>(config).push_back(std::move(entry));
    }
  };
  row.write = [&entries](const Config& config) {
    nlohmann::json out = nlohmann::json::array();
    for (const Entry& entry : *find<Members...>(config)) out.push_back(entries.write(entry));
    return out;
  };
  row.complete = [&entries](const Config& config) {
    nlohmann::json out = nlohmann::json::array();
    for (const Entry& entry : *find<Members...>(config)) out.push_back(entries.complete(entry));
    return out;
  };
  row.check = [&entries](const Config& config, const std::string& at, std::vector<Problem>& found) {
    std::size_t i = 0;
    for (const Entry& entry : *find<Members...>(config))
      for (Problem& problem : entries.outOfRange(entry, at + "." + std::to_string(i++)))
        found.push_back(std::move(problem));
  };
  row.relevant = [&entries](const Config& config, std::size_t entry, std::string_view key) {
    const auto& all = *find<Members...>(config);
    const SettingRow<Entry>* found = entry < all.size() ? entries.find(key) : nullptr;
    return !found || found->relevantIn(all[entry]);
  };
  row.setting = [&entries](std::string_view key) -> const Setting* {
    const SettingRow<Entry>* found = entries.find(key);
    return found ? &found->setting : nullptr;
  };
  row.standard = entries.complete(Entry{});
  return row;
}

}  // namespace rows
}  // namespace moe
