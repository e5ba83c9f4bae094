#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "core/golden/golden_vector.h"

namespace moe {

/// Extents by letter, bound by the recipe and then by the inputs: T tokens, D width, E experts, k slots, F hidden units
/// of an expert, O output width, n shared experts, S and R hidden units of the shared experts and of the dense residual
/// ...
class GoldenSizes {
 public:
  /// 0 where nothing says.
  std::int64_t operator[](char letter) const {
    const auto found = sizes_.find(letter);
    return found == sizes_.end() ? 0 : found->second;
  }
  void bind(char letter, std::int64_t value) { sizes_[letter] = value; }

 private:
  std::map<char, std::int64_t> sizes_;
};

/// Checks every input of the file against its role and the case's recipe: known roles, shapes, types, values that index
/// something, and nothing that the recipe needs missing. Throws Error("golden") naming what misfits.
GoldenSizes fitInputs(const GoldenVector& file, const GoldenCase& one);

/// Throws for an input that no case of the file has a use for.
void refuseUnusedInputs(const GoldenVector& file);

/// Whether gradients are taken with respect to inputs of this role.
bool isDifferentiable(const std::string& role);

}  // namespace moe
