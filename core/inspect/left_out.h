#pragma once
#include <span>
#include <string>
#include <vector>

#include "core/model/model.h"

namespace moe {

/// An expert that a model is evaluated without.
struct LeftOut {
  static constexpr int kAllLayers = -1;
  int layer = kAllLayers;
  int expert = 0;
  bool shared = false;  // the layer's shared experts, all of them, instead of a routed one
  bool operator==(const LeftOut&) const = default;
};

/// "2:5" (layer, expert), "2:shared", "all:shared". Throws Error("evaluate").
LeftOut leftOutFromText(const std::string& text);
std::string textOf(const LeftOut& left);

/// Takes them out of a model that is only looked at; its weights may change. A routed expert is not selected any more:
/// its tokens go to their next choice. Where the selection leaves no next choice (hash, balanced assignment), and for
/// shared experts, its output becomes 0. Throws Error("evaluate") where the model has no such expert, or too few stay.
void leaveOut(Model& model, std::span<const LeftOut> left);

}  // namespace moe
