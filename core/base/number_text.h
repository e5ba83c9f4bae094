#pragma once

#include <cstdio>
#include <string>

namespace moe {

/// A number as a sentence says it: up to six digits, no zeros at the end ("0.05", "1e-05").
inline std::string numberText(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

}  // namespace moe
