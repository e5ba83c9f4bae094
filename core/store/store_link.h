#pragma once
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/store/local_socket.h"
#include "core/store/store_client.h"

namespace moe {

/// From a process to the one that holds the store.
class StoreLink {
 public:
  /// Nothing where the store's holder does not listen or does not answer; throws what it answers where it refuses.
  static std::unique_ptr<StoreLink> to(const std::filesystem::path& store, const StoreClient& self);

  /// What the holder returns once it is done; nothing where the holder is gone. Throws the holder's error.
  std::optional<std::string> ask(std::string_view message);

 private:
  explicit StoreLink(int descriptor) : socket_(descriptor) {}
  LocalSocket socket_;
};

/// What goes back over it.
std::string doneAnswer(std::string_view result);
std::string refusedAnswer(const std::exception& problem);

}  // namespace moe
