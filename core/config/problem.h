#pragma once
#include <string>

namespace moe {

/// A setting that is refused: where it stands ("select.k", "balance.0.coefficient") and a sentence that says why.
struct Problem {
  std::string path;
  std::string sentence;
};

}  // namespace moe
