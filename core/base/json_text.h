#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace moe {

/// JSON of outside nests no deeper: what reads, copies, writes and frees a value calls itself once a level.
constexpr int kDeepestJson = 200;

/// JSON from outside: nested at most `deepest` levels, no name twice in one object. What is wrong stands in `problem`
/// ("expected ..., found ..."), which is empty where all is well. Discarded where the text is no JSON at all, else null.
nlohmann::json parseStrictJson(std::string_view text, int deepest, std::string& problem);

/// A value as a sentence shows it: at most 60 characters of its JSON text.
std::string briefly(const nlohmann::json& value);

}  // namespace moe
