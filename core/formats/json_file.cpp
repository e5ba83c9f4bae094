#include "core/formats/json_file.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace moe {

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
    problem = "expected JSON, found an error at byte " + std::to_string(error.byte);
  } catch (const nlohmann::json::exception&) {
    problem = "expected JSON, found a number out of range";
  }
  return nullptr;
}

std::string briefly(const nlohmann::json& value) {
  const std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

}  // namespace moe
