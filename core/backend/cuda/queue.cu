#include "core/backend/cuda/queue.h"

#include <algorithm>

namespace moe::cuda {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kAlignment = 16;
constexpr std::size_t kKeptLists = 32;
constexpr int kProfileMark = Runtime::kEvents - 2;  // and the one behind it; tickets use those before
constexpr std::uint64_t kTicketMarks = Runtime::kEvents - 2;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::uint64_t hashOf(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0x9e3779b97f4a7c15u + bytes.size();
  for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {  // lists are whole rooms
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    hash = (hash ^ word) * 0x100000001b3u;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

Queue::Queue(std::unique_ptr<Runtime> runtime) : runtime_(std::move(runtime)) {
  counters_ = static_cast<int*>(runtime_->allocate(kCounters * sizeof(int)));
}

Queue::~Queue() {
  runtime_->synchronize();
  kept_.clear();
  for (const Chunk& chunk : chunks_) {
    runtime_->release(chunk.device);
    for (std::byte* staging : chunk.staging) runtime_->releaseHost(staging);
  }
  runtime_->release(counters_);
}

void* Queue::append(Kind kind, std::size_t argumentBytes, const void* entry, Axes grid, int threads, int sharedBytes) {
  constexpr std::size_t kHead = (sizeof(Command) + sizeof(Room) - 1) / sizeof(Room);
  const auto rooms = static_cast<std::int32_t>((argumentBytes + sizeof(Room) - 1) / sizeof(Room));
  const std::size_t at = commands_.size();
  commands_.resize(at + kHead + static_cast<std::size_t>(rooms));  // zeroed: equal lists have equal bytes
  ::new (static_cast<void*>(&commands_[at])) Command{kind, rooms, entry, grid, threads, sharedBytes};
  return &commands_[at + kHead];
}

void Queue::multiply(const Product& product) {
  if (product.rows == 0 || product.columns == 0) return;
  ::new (append(Kind::multiply, sizeof(Product))) Product(product);
}

void Queue::copy(void* to, const void* from, std::size_t bytes) {
  if (bytes != 0) ::new (append(Kind::copy, sizeof(Copied))) Copied{to, from, bytes};
}

void Queue::clear(void* at, std::size_t bytes) {
  if (bytes != 0) ::new (append(Kind::clear, sizeof(Copied))) Copied{at, nullptr, bytes};
}

const void* Queue::constantBytes(const void* values, std::size_t bytes) {
  while (chunk_ < chunks_.size() && chunks_[chunk_].used + bytes > chunks_[chunk_].size) ++chunk_;
  if (chunk_ == chunks_.size()) {
    Chunk& chunk = chunks_.emplace_back();
    chunk.size = std::max(kChunkBytes, aligned(bytes));
    chunk.device = static_cast<std::byte*>(runtime_->allocate(chunk.size));
    for (std::byte*& staging : chunk.staging) staging = static_cast<std::byte*>(runtime_->allocateHost(chunk.size));
  }
  Chunk& chunk = chunks_[chunk_];
  const std::uint64_t slot = ticket_ % kStagings;
  if (chunk.used == 0 && ticket_ >= kStagings) wait(ticket_ - kStagings + 1);
  const std::byte* at = chunk.device + chunk.used;
  if (bytes != 0) std::memcpy(chunk.staging[slot] + chunk.used, values, bytes);
  chunk.used += aligned(bytes);
  return at;
}

void Queue::run(const Commands& commands) {
  constexpr std::size_t kHead = (sizeof(Command) + sizeof(Room) - 1) / sizeof(Room);
  for (std::size_t at = 0; at < commands.size();) {
    const Command& command = *reinterpret_cast<const Command*>(&commands[at]);
    const void* arguments = &commands[at + kHead];
    const auto& copied = *static_cast<const Copied*>(arguments);
    switch (command.kind) {
      case Kind::launch:
        runtime_->launch({command.entry, command.grid, command.threads, command.sharedBytes, arguments,
                          static_cast<std::size_t>(command.rooms) * sizeof(Room)});
        break;
      case Kind::multiply: runtime_->multiply(*static_cast<const Product*>(arguments)); break;
      case Kind::copy: runtime_->copy(copied.to, copied.from, copied.bytes); break;
      case Kind::clear: runtime_->clear(copied.to, copied.bytes); break;
    }
    at += kHead + static_cast<std::size_t>(command.rooms);
  }
}

Queue::Kept& Queue::keptOf(std::uint64_t hash) {
  const auto found = std::ranges::find_if(kept_, [&](const Kept& kept) {
    return kept.hash == hash && kept.commands.size() == commands_.size() &&
           std::memcmp(kept.commands.data(), commands_.data(), commands_.size() * sizeof(Room)) == 0;
  });
  if (found == kept_.end()) {
    if (kept_.size() == kKeptLists) kept_.pop_back();
    return kept_.emplace_front();
  }
  kept_.splice(kept_.begin(), kept_, found);
  return kept_.front();
}

void Queue::begin() {
  for (Chunk& chunk : chunks_) {
    if (chunk.used != 0) runtime_->copy(chunk.device, chunk.staging[ticket_ % kStagings], chunk.used);
    chunk.used = 0;
  }
  chunk_ = 0;
  if (commands_.empty()) return;
  if (profiling_) {
    run(commands_);
  } else {
    const std::uint64_t hash = hashOf(std::as_bytes(std::span(commands_)));
    Kept& kept = keptOf(hash);
    if (kept.commands.empty()) {
      run(commands_);
      kept.hash = hash;
      kept.commands = std::move(commands_);
    } else {
      if (!kept.graph) {
        runtime_->beginGraph();
        run(commands_);
        kept.graph = runtime_->endGraph();
        ++graphsMade_;
      }
      runtime_->run(*kept.graph);
    }
  }
  commands_.clear();
}

std::uint64_t Queue::submit() {
  begin();
  ++ticket_;
  runtime_->mark(static_cast<int>(ticket_ % kTicketMarks));
  return ticket_;
}

void Queue::wait(std::uint64_t ticket) {
  // A mark that was set anew since then stands behind what is waited for.
  if (ticket != 0) runtime_->waitFor(static_cast<int>(ticket % kTicketMarks));
}

void Queue::synchronize() {
  submit();
  runtime_->synchronize();
}

void* Queue::allocate(std::size_t bytes) { return runtime_->allocate(std::max<std::size_t>(bytes, 1)); }

void Queue::release(void* memory) {
  if (memory == nullptr) return;
  synchronize();
  runtime_->release(memory);
}

void* Queue::allocateHost(std::size_t bytes) {
  void* const memory = runtime_->allocateHost(bytes);
  pinned_.emplace(static_cast<const std::byte*>(memory), bytes);
  return memory;
}

bool Queue::pinned(const void* memory) const {
  const auto next = pinned_.upper_bound(static_cast<const std::byte*>(memory));
  return next != pinned_.begin() && memory < std::prev(next)->first + std::prev(next)->second;
}

void Queue::releaseHost(void* memory) {
  if (memory == nullptr) return;
  synchronize();
  pinned_.erase(static_cast<const std::byte*>(memory));
  runtime_->releaseHost(memory);
}

void Queue::copyNow(void* to, const void* from, std::size_t bytes) {
  submit();
  if (bytes != 0) runtime_->copy(to, from, bytes);
  runtime_->synchronize();
}

void Queue::setProfiling(bool on) {
  submit();
  profiling_ = on;
  if (on) times_.clear();
}

Queue::Timed::Timed(Queue& queue, const char* operation) : queue_(&queue), operation_(operation) {
  if (!queue.profiling_ || queue.timedDepth_++ != 0) return;
  queue.submit();
  queue.runtime_->mark(kProfileMark);
}

Queue::Timed::~Timed() {
  if (!queue_->profiling_ || --queue_->timedDepth_ != 0) return;
  queue_->submit();
  queue_->runtime_->mark(kProfileMark + 1);
  queue_->runtime_->waitFor(kProfileMark + 1);
  const double seconds = queue_->runtime_->secondsBetween(kProfileMark, kProfileMark + 1);
  auto row = std::ranges::find(queue_->times_, operation_, &OperationTime::operation);
  if (row == queue_->times_.end()) row = queue_->times_.insert(row, OperationTime{operation_, 0, 0});
  row->seconds += seconds;
  ++row->calls;
}

}  // namespace moe::cuda
