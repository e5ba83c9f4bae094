#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/router/recipe.h"

namespace moe {

/// Reads a recipe. Throws Error("recipe") naming the path of an unknown key, an unknown value or a wrong type, e.g.
/// "[recipe] select.kind: expected one of top_k, top_p, ..., found \"topk\"". `path` is put before every name.
Recipe recipeFromJson(const nlohmann::json& json, const std::string& path = "");

/// The recipe with every key that differs from its default; reading it gives an equal recipe.
nlohmann::json toJson(const Recipe& recipe);

}  // namespace moe
