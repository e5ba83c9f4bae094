#pragma once
#include <cstdint>
#include <new>
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

/// No room on a disk, or a limit of what a process may write: there may be some later, so whoever wrote keeps it.
class NoRoom : public Error {
 public:
  using Error::Error;
};

/// Memory that the machine does not give, and how much of it.
class NoMemory : public std::bad_alloc {
 public:
  explicit NoMemory(std::int64_t bytes) : bytes_(bytes) {}
  std::int64_t bytes() const { return bytes_; }

 private:
  std::int64_t bytes_;
};

}  // namespace moe
