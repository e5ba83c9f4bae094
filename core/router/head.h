#pragma once
#include <string>
#include <vector>

#include "core/router/declarations.h"

namespace moe {

struct HeadRecipe {
  enum class Kind { linear, mixture } kind = Kind::linear;
  enum class Density { categorical, gaussian } density = Density::categorical;
  enum class Form { likelihood, competitive, cooperative };
  struct Loss {
    std::string name;
    Form form = Form::likelihood;
    double coefficient = 0;
    bool operator==(const Loss&) const = default;
  };
  std::vector<Loss> losses;
  bool operator==(const HeadRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& headRows();
/// The losses of a mixture head.
SettingList<Recipe> headLossList();

}  // namespace moe
