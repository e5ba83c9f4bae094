#include "core/store/store_link.h"

#include "core/base/error.h"
#include "core/store/store_operations.h"

namespace moe {

std::unique_ptr<StoreLink> StoreLink::to(const std::filesystem::path& store, const StoreClient& self) {
  constexpr int kPatience = 5;  // seconds: a holder that was stopped accepts, and never answers
  const std::optional<int> descriptor = LocalSocket::connect(socketOf(store));
  if (!descriptor) return nullptr;
  std::unique_ptr<StoreLink> link(new StoreLink(*descriptor));
  link->socket_.setPatience(kPatience, kPatience);
  MessageWriter greeting;
  greeting.put(kLinkVersion).put(self.token).put(self.process.who).put(self.process.claims);
  if (!link->ask(greeting.take())) return nullptr;
  link->socket_.setPatience(0, 0);
  return link;
}

std::optional<std::string> StoreLink::ask(std::string_view message) {
  if (!socket_.send(message)) return std::nullopt;
  std::optional<std::string> answer = socket_.receive();
  if (!answer) return std::nullopt;
  MessageReader reader(*answer);
  if (reader.take<bool>()) return reader.take<std::string>();
  const bool noRoom = reader.take<bool>();
  const auto tag = reader.take<std::string>(), sentence = reader.take<std::string>();
  if (noRoom) throw NoRoom(tag, sentence);
  throw Error(tag, sentence);
}

std::string doneAnswer(std::string_view result) { return MessageWriter().put(true).put(result).take(); }

std::string refusedAnswer(const std::exception& problem) {
  const auto* error = dynamic_cast<const Error*>(&problem);
  const std::string tag = error != nullptr ? error->tag() : "store";
  std::string sentence = problem.what();
  if (error != nullptr) sentence.erase(0, tag.size() + 3);  // "[tag] ", which is put before it again
  return MessageWriter().put(false).put(dynamic_cast<const NoRoom*>(&problem) != nullptr).put(tag).put(sentence).take();
}

}  // namespace moe
