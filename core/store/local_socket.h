#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace moe {

/// "runs.db.sock" beside the store: where the process that holds it is asked to record for another.
std::filesystem::path socketOf(const std::filesystem::path& store);

/// One end of a connection between two processes of this machine, over which whole messages go.
class LocalSocket {
 public:
  explicit LocalSocket(int descriptor) : descriptor_(descriptor) {}
  ~LocalSocket();
  LocalSocket(const LocalSocket&) = delete;
  LocalSocket& operator=(const LocalSocket&) = delete;

  /// To whoever listens at `path`; nothing where nobody does, or this process may not.
  static std::optional<int> connect(const std::filesystem::path& path);

  /// Seconds after which it gives up where nothing arrives, or nothing can be sent; 0: never.
  void setPatience(int receiving, int sending);
  /// False where the other end is gone.
  bool send(std::string_view message);
  /// Nothing where the other end is gone, or sends no message of ours.
  std::optional<std::string> receive();
  /// Nothing more is received; what is being answered still goes out. Any thread.
  void endReceiving();
  /// The other end finds this one gone.
  void end();

 private:
  int descriptor_;
};

/// Where other processes connect: a socket at `path`, open to those who may write the file `likeFile`.
class ListeningSocket {
 public:
  /// Takes the place of one that a process which is gone left there. Throws Error("store").
  ListeningSocket(std::filesystem::path path, const std::filesystem::path& likeFile);
  ~ListeningSocket();
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  /// Waits for the next; nothing after end().
  std::optional<int> accept();
  void end();  // any thread

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace moe
