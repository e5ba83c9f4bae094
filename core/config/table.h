#pragma once
#include "core/config/row.h"

namespace moe {

/// The rows that stand together on the screen, in its order, which is also the order they are read in.
template <class Config>
struct SettingTable {
  std::string_view id, label, tooltip;
  std::vector<SettingRow<Config>> rows;
  std::vector<SettingPartRow<Config>> parts = {};

  /// With the defaults of `standard` noted in every row.
  SettingTable withDefaultsOf(const Config& standard = {}) && {
    for (SettingRow<Config>& row : rows)
      if (row.required.empty()) row.setting.standard = row.write(standard).dump();
    return std::move(*this);
  }
  /// What is said of the rows that have a field.
  SettingSection section() const {
    SettingSection shown{id, label, tooltip};
    for (const SettingRow<Config>& row : rows)
      if (!row.setting.label.empty()) shown.settings.push_back(row.setting);
    for (const SettingPartRow<Config>& row : parts) shown.parts.push_back(row.part);
    return shown;
  }
};

/// A list of things that each have a table of their own, such as the balance terms; an entry's rows have paths relative
/// to it ("coefficient" for "balance.0.coefficient").
template <class Config>
struct SettingList {
  std::string_view path;
  std::function<void(Config&, const nlohmann::json&, const ValuePlace&)> read;
  std::function<nlohmann::json(const Config&)> write;     // what differs from the defaults
  std::function<nlohmann::json(const Config&)> complete;  // every key
  std::function<void(const Config&, const std::string& path, std::vector<Problem>&)> check;
  std::function<bool(const Config&, std::size_t entry, std::string_view key)> relevant;
  std::function<const Setting*(std::string_view key)> setting;  // null: an entry has none of that name
  nlohmann::json standard;                                      // an entry with every key at its default
};

namespace rows {

/// A table of what is found in a larger configuration by a chain of members.
template <auto... Members, class Inner>
auto within(const SettingTable<Inner>& table) {
  using Config = OwnerOf<Members...>;
  SettingTable<Config> lifted{table.id, table.label, table.tooltip, {}};
  for (const SettingRow<Inner>& row : table.rows) {
    SettingRow<Config> outer{row.setting,
                             [read = row.read](Config& config, const nlohmann::json& json, const ValuePlace& place) {
                               read(make<Members...>(config), json, place);
                             },
                             [write = row.write](const Config& config) { return write(*find<Members...>(config)); }};
    if (row.relevant)
      outer.relevant = [asks = row.relevant](const Config& config) { return asks(*find<Members...>(config)); };
    outer.written = row.written;
    outer.required = row.required;
    lifted.rows.push_back(std::move(outer));
  }
  for (const SettingPartRow<Inner>& row : table.parts)
    lifted.parts.push_back(
        {row.part, [present = row.present](const Config& config) { return present(*find<Members...>(config)); },
         [makePart = row.make](Config& config) { makePart(make<Members...>(config)); }});
  return lifted;
}

}  // namespace rows
}  // namespace moe
