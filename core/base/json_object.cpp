#include "core/base/json_object.h"

#include <algorithm>

#include "core/base/error.h"

namespace moe {

JsonObject::JsonObject(const nlohmann::json& json, std::string tag, std::string path)
    : json_(json), tag_(std::move(tag)), path_(std::move(path)) {
  if (!json.is_object()) refuseValue({tag_, path_.empty() ? "the configuration" : path_}, json, "an object");
}

std::string JsonObject::pathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const nlohmann::json* JsonObject::take(std::string_view key) {
  asked_.emplace_back(key);
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

void JsonObject::refuse(std::string_view key, const std::string& expected) const {
  const auto found = json_.find(key);
  if (found == json_.end()) throw Error(tag_, pathOf(key) + ": expected " + expected + ", found nothing");
  refuseValue(placeOf(key), *found, expected);
}

void JsonObject::finish() const {
  for (const auto& [key, value] : json_.items())
    if (std::ranges::find(asked_, key) == asked_.end()) {
      const std::vector<std::string_view> known(asked_.begin(), asked_.end());
      throw Error(tag_, pathOf(key) + ": unknown key; expected one of " + joinedWords(known));
    }
}

}  // namespace moe
