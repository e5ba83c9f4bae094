#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/router/recipe.h"

namespace moe {

/// A tensor of a golden vector, row-major. Integers are exact: the reader refuses those that a double cannot hold.
struct GoldenTensor {
  enum class Type { number, f64, i64, boolean } type = Type::number;  // number: 0-d, integer or not
  std::vector<std::int64_t> shape;
  std::vector<double> data;
};

struct GoldenInput {
  std::string name, role;
  GoldenTensor tensor;
};

/// One field of `expected`: {"output"}, {"losses", NAME}, {"grad_unscaled", NAME, INPUT} ...
struct GoldenExpected {
  std::vector<std::string> path;
  GoldenTensor value;
  /// "grad_unscaled.aux.x"
  std::string text() const;
};

/// One recipe run on the file's inputs: the file itself, or one of its variants.
struct GoldenCase {
  std::string name;  // of the variant, or empty
  Recipe recipe;
  std::vector<GoldenExpected> expected;
};

/// A file of exact routing results: recipe, inputs and what must come out.
struct GoldenVector {
  enum class Kind { layer, stages, metrics, schedule } kind = Kind::layer;
  std::string system;           // a label for people
  std::int64_t vocabulary = 0;  // rows of the tables by token id, domains of those by domain; 0: as many as occur
  std::int64_t domains = 0;
  std::vector<GoldenInput> inputs;
  std::vector<GoldenCase> cases;

  /// Null where no input has the role.
  const GoldenTensor* find(std::string_view role) const;
};

/// Reads a file that nobody has vouched for. Throws Error("golden") naming the field that is missing, unknown or
/// misfits, Error("recipe") for a recipe's.
GoldenVector readGoldenVector(const std::filesystem::path& path);
GoldenVector parseGoldenVector(std::string_view text);

/// Throws Error("golden") that names the field, input or case.
[[noreturn]] void failGolden(const std::string& where, const std::string& sentence);

}  // namespace moe
