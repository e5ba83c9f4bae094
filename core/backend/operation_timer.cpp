#include "core/backend/operation_timer.h"

#include <algorithm>

namespace moe {

OperationTimer::Scope::Scope(OperationTimer* timer, std::string_view operation) : timer_(timer), operation_(operation) {
  if (timer_) start_ = std::chrono::steady_clock::now();
}

OperationTimer::Scope::~Scope() {
  if (timer_) timer_->add(operation_, std::chrono::steady_clock::now() - start_);
}

void OperationTimer::setOn(bool on) {
  on_ = on;
  entries_.clear();
}

void OperationTimer::add(std::string_view operation, std::chrono::steady_clock::duration spent) {
  auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.operation == operation; });
  if (entry == entries_.end()) entry = entries_.insert(entries_.end(), Entry{operation});
  entry->spent += spent;
  ++entry->calls;
}

std::vector<OperationTime> OperationTimer::times() const {
  std::vector<OperationTime> result;
  for (const Entry& entry : entries_)
    result.push_back({std::string(entry.operation), std::chrono::duration<double>(entry.spent).count(), entry.calls});
  return result;
}

}  // namespace moe
