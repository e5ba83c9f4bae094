#include <array>
#include <thread>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/store/migrations.h"
#include "core/store/run_store_impl.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

// The holder is saving a large checkpoint, at most, before it goes or another has taken its place.
constexpr std::chrono::milliseconds kChangePatience(60'000);
constexpr std::chrono::milliseconds kBetweenTries(20);

std::string settingOf(const std::string& token) { return "link:" + token; }

using CarryOut = std::string (*)(RunStore&, MessageReader&);

template <auto... Operation>
constexpr auto rowsOf(OperationList<Operation...>) {
  return std::array<CarryOut, sizeof...(Operation)>{
      [](RunStore& store, MessageReader& arguments) { return carryOut(store, Operation, arguments); }...};
}

constexpr auto kOperations = rowsOf(StoreOperations());

}  // namespace

std::unique_ptr<RunStore::Impl> RunStore::Impl::holderOrGuest(const fs::path& file, std::shared_ptr<StoreSelf> self,
                                                              std::chrono::milliseconds patience) {
  for (const auto until = std::chrono::steady_clock::now() + patience;; std::this_thread::sleep_for(kBetweenTries)) {
    try {
      return holder(file, Access::shared, self);
    } catch (const StoreHeld&) {
      if (auto link = StoreLink::to(file, self->client)) {
        auto impl = reader(file, Access::shared, self);
        impl->link = std::move(link);
        return impl;
      }
      if (std::chrono::steady_clock::now() >= until) throw;
    }
  }
}

std::optional<std::string> RunStore::askHolder(const std::string& message, std::uint64_t sequence) {
  for (;;) {
    if (impl_->link) {
      if (auto result = impl_->link->ask(message)) return result;
      impl_->link.reset();
    }
    impl_ = Impl::holderOrGuest(impl_->file, impl_->self, kChangePatience);
    if (!impl_->lock) continue;
    const std::string& token = impl_->self->client.token;
    auto result = impl_->doneBefore(token, sequence);
    impl_->forget(token);
    return result;
  }
}

void RunStore::claim(RunId run) {
  if (!handedOver<&RunStore::claim>(run)) {
    impl_->requireRun(run);
    impl_->requireUnclaimed(run);
  }
  impl_->acting->claims.try_emplace(run, this->run(run).state);
}

void RunStore::release(RunId run) {
  handedOver<&RunStore::release>(run);
  impl_->acting->claims.erase(run);
}

std::string RunStore::answer(StoreClient& client, std::string_view message) {
  Impl& impl = *impl_;
  const StoreClient before = client;
  try {
    MessageReader reader(message);
    if (client.token.empty()) {
      if (reader.take<std::uint32_t>() != kLinkVersion)
        throw Error("store", impl.file.string() +
                                 ": expected to be recorded by a program of the same version, found that " +
                                 impl.self->client.process.who + " holds it, of another one; close that program");
      client.token = reader.take<std::string>();
      client.process.who = shownName(reader.take<std::string>());
      const auto claims = reader.take<decltype(client.process.claims)>();
      reader.end();
      impl.self->guests.push_back(&client);
      impl.acting = &client.process;
      for (const auto& [run, state] : claims) {
        impl.requireUnclaimed(run);
        client.process.claims.emplace(run, state);
      }
      impl.restate(client.process);
      impl.acting = &impl.self->client.process;
      return doneAnswer({});
    }
    const auto sequence = reader.take<std::uint64_t>();
    if (const auto done = impl.doneBefore(client.token, sequence)) return doneAnswer(*done);
    const auto place = reader.take<std::uint16_t>();
    if (place >= kOperations.size())
      throw Error("store", impl.file.string() + ": expected an operation on a store, found none of number " +
                               std::to_string(place) + "; use the same version of both programs");
    impl.acting = &client.process;
    Transaction transaction(impl.db);
    const std::string result = kOperations[place](*this, reader);
    impl.db.run("INSERT OR REPLACE INTO settings(key, value) VALUES(?, ?)", settingOf(client.token),
                MessageWriter().put(sequence).put(result).take());
    transaction.commit();
    impl.acting = &impl.self->client.process;
    return doneAnswer(result);
  } catch (const std::exception& problem) {
    impl.acting = &impl.self->client.process;
    if (before.token.empty()) impl.self->guests.remove(&client);
    client = before;
    impl.openSteps.clear();  // counted within what was rolled back
    return refusedAnswer(problem);
  }
}

void RunStore::leave(const StoreClient& client) {
  impl_->self->guests.remove(const_cast<StoreClient*>(&client));
  if (client.token.empty()) return;
  for (const auto& [run, state] : client.process.claims)
    if (state == RunSummary::State::running)
      impl_->db.run("UPDATE runs SET state = ? WHERE id = ?", nameOf(RunSummary::State::interrupted), run);
  impl_->forget(client.token);
}

void RunStore::Impl::restate(const TrainingProcess& process) {
  for (const auto& [run, state] : process.claims) db.run("UPDATE runs SET state = ? WHERE id = ?", nameOf(state), run);
}

void RunStore::Impl::requireUnclaimed(RunId run) const {
  const auto check = [&](const TrainingProcess& other) {
    if (&other != acting && other.claims.contains(run))
      throw Error("store", file.string() + ": expected run " + std::to_string(run) +
                               " to be in no other program's training, found it in that of " + other.who +
                               "; end it there first, or begin one of your own from a checkpoint of it");
  };
  check(self->client.process);
  for (const StoreClient* guest : self->guests) check(guest->process);
}

std::optional<std::string> RunStore::Impl::doneBefore(const std::string& token, std::uint64_t sequence) const {
  Rows rows = db.query("SELECT value FROM settings WHERE key = ?", settingOf(token));
  if (!rows.next()) return std::nullopt;
  const std::string value = rows.text(0);
  MessageReader reader(value);
  if (reader.take<std::uint64_t>() != sequence) return std::nullopt;
  return reader.take<std::string>();
}

void RunStore::Impl::forget(const std::string& token) {
  db.run("DELETE FROM settings WHERE key = ?", settingOf(token));
}

}  // namespace moe
