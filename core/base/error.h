#pragma once
#include <stdexcept>
#include <string>

namespace moe {

/// What a file, device or database error throws. `what()` is one sentence a person can act on:
/// "[tag] subject: expected ..., found ...; remedy". Programmer's errors assert instead.
class Error : public std::runtime_error {
 public:
  Error(std::string tag, const std::string& sentence)
      : std::runtime_error("[" + tag + "] " + sentence), tag_(std::move(tag)) {}
  /// The part of the program that speaks: "safetensors", "store", "data", "checkpoint", "recipe" ...
  const std::string& tag() const { return tag_; }

 private:
  std::string tag_;
};

}  // namespace moe
