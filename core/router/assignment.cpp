#include "core/router/assignment.h"

#include <limits>
#include <vector>

namespace moe {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

template <class S>
class BalancedAssignment {
 public:
  BalancedAssignment(const S* r, std::int64_t tokens, std::int64_t experts)
      : r_(r),
        tokens_(tokens),
        experts_(static_cast<std::size_t>(experts)),
        members_(experts_),
        price_(experts_, 0.0),
        distance_(experts_),
        from_(experts_),
        done_(experts_),
        cheapest_(experts_ * experts_, kNone) {}

  void solve(std::span<std::int32_t> out) {
    for (std::int64_t t = 0; t < tokens_; ++t) insert(static_cast<std::int32_t>(t));
    for (std::size_t e = 0; e < experts_; ++e)
      for (std::int32_t t : members_[e]) out[static_cast<std::size_t>(t)] = static_cast<std::int32_t>(e);
  }

 private:
  static constexpr std::int32_t kNone = -1;
  double cost(std::int32_t token, std::size_t e) const {
    return -static_cast<double>(r_[static_cast<std::size_t>(token) * experts_ + e]);
  }
  std::size_t room(std::size_t e) const {
    const auto total = static_cast<std::size_t>(tokens_);
    return total / experts_ + (e < total % experts_);
  }
  /// What moving the cheapest token of `a` to `b` adds, prices included; never below 0 but for rounding.
  double move(std::size_t a, std::size_t b) const {
    const std::int32_t token = cheapest_[a * experts_ + b];
    if (token == kNone) return kFar;
    const double reduced = cost(token, b) + price_[b] - cost(token, a) - price_[a];
    return reduced > 0 ? reduced : 0;
  }
  void offer(std::size_t a, std::int32_t token) {
    for (std::size_t b = 0; b < experts_; ++b) {
      std::int32_t& best = cheapest_[a * experts_ + b];
      if (best == kNone || cost(token, b) - cost(token, a) < cost(best, b) - cost(best, a)) best = token;
    }
  }
  void add(std::size_t e, std::int32_t token) {
    members_[e].push_back(token);
    offer(e, token);
  }
  void remove(std::size_t e, std::int32_t token) {
    std::erase(members_[e], token);
    for (std::size_t b = 0; b < experts_; ++b) cheapest_[e * experts_ + b] = kNone;
    for (std::int32_t other : members_[e]) offer(e, other);
  }

  void insert(std::int32_t token) {
    for (std::size_t e = 0; e < experts_; ++e) {
      distance_[e] = cost(token, e) + price_[e];
      from_[e] = experts_;
      done_[e] = 0;
    }
    std::size_t last = experts_;
    for (;;) {
      std::size_t next = experts_;
      for (std::size_t e = 0; e < experts_; ++e)
        if (!done_[e] && (next == experts_ || distance_[e] < distance_[next])) next = e;
      if (members_[next].size() < room(next)) {
        last = next;
        break;
      }
      done_[next] = 1;
      for (std::size_t e = 0; e < experts_; ++e)
        if (!done_[e])
          if (const double through = distance_[next] + move(next, e); through < distance_[e]) {
            distance_[e] = through;
            from_[e] = next;
          }
    }
    // Dual step: prices of the full experts passed rise, those with room stay at 0.
    for (std::size_t e = 0; e < experts_; ++e)
      if (done_[e]) price_[e] += distance_[last] - distance_[e];
    for (std::size_t e = last; from_[e] != experts_; e = from_[e]) {
      const std::size_t source = from_[e];
      const std::int32_t moved = cheapest_[source * experts_ + e];
      remove(source, moved);
      add(e, moved);
      if (from_[source] == experts_) {
        add(source, token);
        return;
      }
    }
    add(last, token);
  }

  const S* r_;
  std::int64_t tokens_;
  std::size_t experts_;
  std::vector<std::vector<std::int32_t>> members_;  // tokens of each expert
  std::vector<double> price_, distance_;            // (E)
  std::vector<std::size_t> from_;                   // (E) expert before on the shortest path; E: the new token itself
  std::vector<std::uint8_t> done_;                  // (E)
  std::vector<std::int32_t> cheapest_;              // (E, E) token of a that moves to b at least cost
};

}  // namespace

template <class S>
void assignBalanced(std::span<std::int32_t> out, const S* r, std::int64_t tokens, std::int64_t experts) {
  BalancedAssignment<S>(r, tokens, experts).solve(out);
}

template void assignBalanced<float>(std::span<std::int32_t>, const float*, std::int64_t, std::int64_t);
template void assignBalanced<double>(std::span<std::int32_t>, const double*, std::int64_t, std::int64_t);

}  // namespace moe
