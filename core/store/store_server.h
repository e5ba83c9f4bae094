#pragma once
#include <atomic>
#include <filesystem>
#include <functional>
#include <list>
#include <thread>

#include "core/store/local_socket.h"
#include "core/store/run_store.h"

namespace moe {

/// Beside a store that this process holds: takes what other processes record and hands it, in the order each of them sent it,
/// to the thread that writes. One thread listens, and one for each other process waits for it.
class StoreServer {
 public:
  /// Has `work` done on the store's thread, never blocking; `failed` where it throws or no store is open.
  using Post = std::function<void(std::function<void(RunStore&)> work, std::function<void(const std::string&)> failed)>;
  /// Throws Error("store") where no socket can be made beside the store.
  StoreServer(const std::filesystem::path& store, Post post);
  /// What was asked is answered first: the store's thread must still be at work.
  ~StoreServer();
  StoreServer(const StoreServer&) = delete;
  StoreServer& operator=(const StoreServer&) = delete;

 private:
  struct Guest {
    explicit Guest(int descriptor) : socket(descriptor) {}
    LocalSocket socket;
    std::atomic<bool> gone = false;
    std::thread thread;
  };
  void listen();
  void serve(Guest& guest);

  const Post post_;
  ListeningSocket listener_;
  std::list<Guest> guests_;  // the listening thread, and the destructor once that has ended
  std::thread thread_;       // last: begins when all else stands
};

}  // namespace moe
