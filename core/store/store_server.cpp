#include "core/store/store_server.h"

#include <future>
#include <memory>
#include <utility>

#include "core/base/signals.h"
#include "core/store/store_client.h"

namespace moe {

namespace {
constexpr int kSendingPatience = 10;  // seconds: one that was stopped takes no answers
constexpr std::size_t kMostGuests = 64;
}  // namespace

StoreServer::StoreServer(const std::filesystem::path& store, Post post)
    : post_(std::move(post)), listener_(socketOf(store), store), thread_([this] { listen(); }) {}

StoreServer::~StoreServer() {
  listener_.end();
  thread_.join();
  for (Guest& guest : guests_) guest.socket.endReceiving();
  for (Guest& guest : guests_) guest.thread.join();
}

void StoreServer::listen() {
  takeNoSignals();
  while (const std::optional<int> descriptor = listener_.accept()) {
    for (auto guest = guests_.begin(); guest != guests_.end();) {
      if (!guest->gone) {
        ++guest;
        continue;
      }
      guest->thread.join();
      guest = guests_.erase(guest);
    }
    Guest& guest = guests_.emplace_back(*descriptor);
    if (guests_.size() > kMostGuests) {
      guests_.pop_back();
      continue;
    }
    guest.socket.setPatience(0, kSendingPatience);
    guest.thread = std::thread([this, &guest] { serve(guest); });
  }
}

void StoreServer::serve(Guest& guest) {
  takeNoSignals();
  const auto client = std::make_shared<StoreClient>();
  while (std::optional<std::string> message = guest.socket.receive()) {
    const auto answer = std::make_shared<std::promise<std::optional<std::string>>>();
    post_([client, answer,
           message = std::move(*message)](RunStore& store) { answer->set_value(store.answer(*client, message)); },
          [answer](const std::string&) { answer->set_value(std::nullopt); });
    const std::optional<std::string> said = answer->get_future().get();
    if (!said || !guest.socket.send(*said)) break;
  }
  guest.socket.end();
  post_([client](RunStore& store) { store.leave(*client); }, {});
  guest.gone = true;
}

}  // namespace moe
