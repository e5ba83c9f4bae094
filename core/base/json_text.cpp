#include "core/base/json_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace moe {

namespace {

/// "line 3, column 5"; `byte` counts from 1.
std::string placeOf(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(text.size(), byte > 0 ? byte - 1 : 0));
  const auto line = std::ranges::count(before, '\n') + 1;
  const std::size_t start = before.rfind('\n') + 1;  // 0 where there is none
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - start + 1);
}

}  // namespace

nlohmann::json parseStrictJson(std::string_view text, int deepest, std::string& problem) {
  struct Refused {};
  std::vector<std::set<std::string>> names;  // of each object that is open
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    const bool opens = event == Event::object_start || event == Event::array_start;
    if (opens && depth >= deepest) {
      problem = "expected JSON nested at most " + std::to_string(deepest) + " levels, found more";
      throw Refused();
    }
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end) names.pop_back();
    if (event == Event::key && !names.back().insert(parsed.get<std::string>()).second) {
      problem = "expected each name once, found " + briefly(parsed) + " twice";
      throw Refused();
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), watch);
  } catch (const Refused&) {
  } catch (const nlohmann::json::parse_error& error) {
    problem = "expected JSON, found an error at " + placeOf(text, error.byte);
    return nlohmann::json(nlohmann::json::value_t::discarded);
  } catch (const nlohmann::json::exception&) { problem = "expected JSON, found a number out of range"; }
  return nullptr;
}

std::string briefly(const nlohmann::json& value) {
  const std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace moe
