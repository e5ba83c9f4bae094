#pragma once
#include <vector>

#include "core/router/declarations.h"

namespace moe {

enum class Activation { relu, gelu, geluTanh, silu };
enum class ExpertKind { mlp, glu, clampedGlu, linear };

struct ExpertsRecipe {
  int count = 0;  // E
  ExpertKind kind = ExpertKind::glu;
  Activation activation = Activation::silu;
  std::vector<int> hidden;  // F: one entry for all, or E entries
  bool bias = false;
  int outputWidth = 0;                // 0: the model width D
  double alpha = 1.702, limit = 7.0;  // clampedGlu only
  enum class Init { random, denseCopy, denseSlice } init = Init::random;
  double initNoise = 0;  // share of the weight's standard deviation
  bool operator==(const ExpertsRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& expertsRows();

namespace rows {
template <class Value>
struct Choice;
}  // namespace rows
/// The words of a network and of its activation, wherever one is chosen: experts, a dense residual, a dense layer.
const std::vector<rows::Choice<ExpertKind>>& networkChoices();
const std::vector<rows::Choice<Activation>>& activationChoices();

}  // namespace moe
