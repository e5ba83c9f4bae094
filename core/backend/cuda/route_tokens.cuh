#pragma once
// From logits to dispatch in two launches: a warp routes a token after the other, the last block to arrive lays out the
// experts' lists, and a second launch fills them in token order.
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/routing_tables.h"

namespace moe::cuda {

constexpr int kTokensOfBlock = 32;
constexpr int kRouteThreads = 256;
constexpr int kRouteWarps = kRouteThreads / kWarp;

/// Settings that may change from step to step without another launch.
struct RouteNumbers {
  float scale, epsilon;
};

/// kEach: experts of a lane, lane + 32 i.
template <int kEach>
struct RouteTokens {
  static constexpr int kThreads = kRouteThreads;
  static constexpr const char* kName = "route tokens";
  RoutingView out;
  const float* bias;  // (E) of the selection, or null
  const RouteNumbers* numbers;
  Recipe::Score score;
  Recipe::Adjust::RankBy rankBy;
  Recipe::Weigh::Kind weigh;
  int* counter;
  std::int32_t *expertBegin, *admittedEnd;

  static int sharedBytes(int experts) {
    const int across =
        kRouteWarps * static_cast<int>(sizeof(RoutingSums)) + 2 * kRouteWarps * experts * 4 + 2 * experts * 4;
    return across > kLayoutBytes ? across : kLayoutBytes;
  }
  static constexpr int kLayoutBytes = kRouteThreads * 32 + 4096;

  /// The largest of the lanes' values that were not taken, the lower expert first among equals. -inf where only such are
  /// left: a choice is always an expert.
  MOE_DEVICE int largest(const float (&value)[kEach], std::uint32_t taken, float& best) const {
    best = kNegativeInfinity;
    int expert = 1 << 30;
    MOE_UNROLL for (int i = 0; i < kEach; ++i) {
      const int e = lane() + kWarp * i;
      if (e >= out.experts || (taken >> i & 1) != 0) continue;
      const float v = value[i] > kNegativeInfinity ? value[i] : kNegativeInfinity;  // not a number: last
      if (v > best || (v == best && e < expert)) {
        best = v;
        expert = e;
      }
    }
    for (int mask = kWarp / 2; mask > 0; mask /= 2) {
      const float otherBest = shuffleXor(best, mask);
      const int other = shuffleXor(expert, mask);
      if (otherBest > best || (otherBest == best && other < expert)) {
        best = otherBest;
        expert = other;
      }
    }
    return expert;
  }
  MOE_DEVICE static float ofExpert(const float (&value)[kEach], int expert) {
    float mine = 0;
    MOE_UNROLL for (int i = 0; i < kEach; ++i) if (expert / kWarp == i) mine = value[i];
    return shuffle(mine, expert % kWarp);
  }
  MOE_DEVICE static void take(std::uint32_t& taken, int expert) {
    if (expert % kWarp == lane()) taken |= 1u << (expert / kWarp);
  }

  MOE_DEVICE void operator()() const {
    const int E = out.experts;
    auto* const sums = shared<RoutingSums>();
    auto* const probability = reinterpret_cast<float*>(sums + kRouteWarps);
    float* const importance = probability + kRouteWarps * E;
    auto* const counts = reinterpret_cast<int*>(importance + kRouteWarps * E);
    int* const first = counts + E;
    for (int e = threadOfBlock(); e < 2 * E; e += kThreads) counts[e] = 0;
    if (bias != nullptr && block().x == 0)
      for (int e = threadOfBlock(); e < E; e += kThreads) out.bias[e] = bias[e];
    sync();
    RoutingSums mine = {};
    float pSum[kEach] = {}, iSum[kEach] = {};
    for (int i = warp(); i < kTokensOfBlock; i += kRouteWarps) {
      const int t = block().x * kTokensOfBlock + i;
      if (t < out.tokens) routeToken(t, counts, first, mine, pSum, iSum);
    }
    MOE_UNROLL for (int i = 0; i < kEach; ++i) {
      const int e = lane() + kWarp * i;
      if (e >= E) continue;
      probability[warp() * E + e] = pSum[i];
      importance[warp() * E + e] = iSum[i];
    }
    if (lane() == 0) sums[warp()] = mine;
    sync();
    const std::int64_t row = static_cast<std::int64_t>(block().x) * E;
    for (int e = threadOfBlock(); e < E; e += kThreads) {
      float p = 0, importanceOf = 0;
      for (int w = 0; w < kRouteWarps; ++w) {
        p += probability[w * E + e];
        importanceOf += importance[w * E + e];
      }
      out.blockProbability[row + e] = p;
      out.blockImportance[row + e] = importanceOf;
      out.blockCounts[row + e] = counts[e];
      out.blockFirst[row + e] = first[e];
    }
    if (threadOfBlock() == 0) {
      RoutingSums all = {};
      for (int w = 0; w < kRouteWarps; ++w) add(all, sums[w]);
      out.blockSums[block().x] = all;
    }
    if (arrivedLast(counter, blocks().x)) layOut();
  }

  MOE_DEVICE static void add(RoutingSums& to, const RoutingSums& other) {
    to.entropy += other.entropy;
    to.margin += other.margin;
    to.marginTokens += other.marginTokens;
    to.jaccard += other.jaccard;
    to.squaredLogSumExp += other.squaredLogSumExp;
    to.termEntropy += other.termEntropy;
  }

  MOE_DEVICE void routeToken(int t, int* counts, int* first, RoutingSums& sums, float (&pSum)[kEach],
                             float (&iSum)[kEach]) const {
    const int E = out.experts, k = out.slots;
    const std::int64_t row = static_cast<std::int64_t>(t) * E;
    float z[kEach], s[kEach], r[kEach] = {}, most = kNegativeInfinity, sum = 0;
    MOE_UNROLL for (int i = 0; i < kEach; ++i) {
      const int e = lane() + kWarp * i;
      z[i] = e < E ? out.logits[row + e] : kNegativeInfinity;
      most = fmaxf(most, z[i]);
    }
    most = warpMax(most);
    float exponential[kEach];
    MOE_UNROLL for (int i = 0; i < kEach; ++i) {
      exponential[i] = lane() + kWarp * i < E ? expf(z[i] - most) : 0.0f;
      sum += exponential[i];
    }
    sum = warpSum(sum);
    const float logSum = most + logf(sum), inverse = 1.0f / sum;
    float total = 0;
    MOE_UNROLL for (int i = 0; i < kEach; ++i) {
      const bool there = lane() + kWarp * i < E;
      s[i] = score == Recipe::Score::softmax   ? exponential[i] * inverse
             : score == Recipe::Score::sigmoid ? 1.0f / (1.0f + expf(-z[i]))
                                               : z[i];
      if (!there) s[i] = 0;
      total += s[i];
    }
    total = warpSum(total);
    float entropy = 0, termEntropy = 0;
    // Load terms divide sigmoid scores alone by their sum; the summary makes probabilities of all of them.
    const float factor = score != Recipe::Score::sigmoid ? 1.0f : total > 0 ? 1.0f / total : 0.0f;
    MOE_UNROLL for (int i = 0; i < kEach; ++i) {
      const int e = lane() + kWarp * i;
      if (e >= E) continue;
      out.scores[row + e] = s[i];
      r[i] = (rankBy == Recipe::Adjust::RankBy::logits ? z[i] : s[i]) + (bias != nullptr ? bias[e] : 0.0f);
      const float p = score == Recipe::Score::identity ? exponential[i] * inverse
                      : total > 0                      ? s[i] / total
                                                       : 1.0f / static_cast<float>(E);
      if (p > 0) entropy -= p * logf(p);
      iSum[i] += p;
      const float q = s[i] * factor;
      if (q > 0) termEntropy -= q * logf(q);
      pSum[i] += q;
    }
    if (lane() == 0) out.logSumExp[t] = logSum;
    sums.entropy += static_cast<double>(warpSum(entropy));
    sums.termEntropy += static_cast<double>(warpSum(termEntropy));
    sums.squaredLogSumExp += static_cast<double>(logSum) * static_cast<double>(logSum);

    // Lane j keeps choice j.
    std::uint32_t taken = 0;
    int chosen = -1;
    float chosenValue = 0, selected = 0, lowest = 0, best = 0, top = kNegativeInfinity;
    for (int j = 0; j < k; ++j) {
      const int e = largest(r, taken, best);
      take(taken, e);
      const float value = weigh == Recipe::Weigh::Kind::softmaxSelected ? ofExpert(z, e) : ofExpert(s, e);
      if (lane() == j) {
        chosen = e;
        chosenValue = value;
      }
      selected += value;
      top = fmaxf(top, value);
      lowest = best;
    }
    if (k < E) {
      largest(r, taken, best);
      if (best > kNegativeInfinity && lowest > kNegativeInfinity) {
        sums.margin += static_cast<double>(lowest) - static_cast<double>(best);
        sums.marginTokens += 1;
      }
    }
    if (bias != nullptr) {
      float plain[kEach];
      MOE_UNROLL for (int i = 0; i < kEach; ++i) plain[i] = rankBy == Recipe::Adjust::RankBy::logits ? z[i] : s[i];
      std::uint32_t without = 0;
      int both = 0;
      for (int j = 0; j < k; ++j) {
        float ignored;
        const int e = largest(plain, without, ignored);
        take(without, e);
        both += ballot(chosen == e) != 0;
      }
      sums.jaccard += static_cast<double>(both) / static_cast<double>(2 * k - both);
    } else {
      sums.jaccard += 1;
    }
    float weight = chosenValue * numbers->scale;
    if (weigh == Recipe::Weigh::Kind::one) weight = numbers->scale;
    if (weigh == Recipe::Weigh::Kind::renormalised) {
      const float whole = selected + numbers->epsilon;
      weight = whole != 0 ? chosenValue * (numbers->scale / whole) : 0;
    }
    if (weigh == Recipe::Weigh::Kind::softmaxSelected) {
      const float share = lane() < k ? expf(chosenValue - top) : 0.0f;
      weight = share * numbers->scale / warpSum(share);
    }
    if (lane() >= k) return;
    out.asked[static_cast<std::int64_t>(t) * k + lane()] = chosen;
    out.weight[static_cast<std::int64_t>(t) * k + lane()] = weight;
    addShared(counts + chosen, 1);
    if (lane() == 0) addShared(first + chosen, 1);
  }

  /// By the last block: totals, where each expert's list begins, and where each block's part of it does. With few experts
  /// several threads share the blocks of one.
  MOE_DEVICE void layOut() const {
    const int E = out.experts, B = blocks().x, threads = kThreads, parts = E < threads ? threads / E : 1;
    struct Part {
      double probability, importance;
      int count, first;
    };
    Part* const part = shared<Part>();
    int* const begin = reinterpret_cast<int*>(part + kThreads);  // (E) where it fits
    int before = 0;  // in warp 0: assignments of the experts of earlier rounds
    for (int base = 0; base < E; base += threads) {
      sync();
      const int here = E - base < threads ? E - base : threads, e = base + threadOfBlock() % here,
                index = threadOfBlock() / here;
      const bool active = index < parts;
      const int from = active ? static_cast<int>(static_cast<std::int64_t>(B) * index / parts) : 0;
      const int to = active ? static_cast<int>(static_cast<std::int64_t>(B) * (index + 1) / parts) : 0;
      Part mine = {};
      for (int b = from; b < to; ++b) {
        const std::int64_t at = static_cast<std::int64_t>(b) * E + e;
        mine.count += out.blockCounts[at];
        mine.first += out.blockFirst[at];
        mine.probability += static_cast<double>(out.blockProbability[at]);
        mine.importance += static_cast<double>(out.blockImportance[at]);
      }
      if (active) part[index * here + threadOfBlock() % here] = mine;
      sync();
      if (threadOfBlock() < here) {
        Part all = {};
        for (int p = 0; p < parts; ++p) {
          const Part other = part[p * here + threadOfBlock()];
          part[p * here + threadOfBlock()].count = all.count;  // what stands before this part
          all.count += other.count;
          all.first += other.first;
          all.probability += other.probability;
          all.importance += other.importance;
        }
        out.load[e] = all.count;
        out.first[e] = all.first;
        out.probability[e] = all.probability;
        out.importance[e] = all.importance;
        begin[threadOfBlock()] = all.count;
      }
      sync();
      if (warp() == 0) {
        for (int i = lane(); i < (here + kWarp - 1) / kWarp * kWarp; i += kWarp) {
          const int count = i < here ? begin[i] : 0;
          int end = count;
          for (int by = 1; by < kWarp; by *= 2) {
            const int below = shuffleUp(end, by);
            if (lane() >= by) end += below;
          }
          end += before;
          before = shuffle(end, kWarp - 1);
          if (i >= here) continue;
          begin[i] = end - count;
          if (base + i == 0) expertBegin[0] = 0;
          expertBegin[base + i + 1] = end;
          admittedEnd[base + i] = end;
        }
      }
      sync();
      if (active) {
        int place = begin[threadOfBlock() % here] + part[index * here + threadOfBlock() % here].count;
        for (int b = from; b < to; ++b) {
          const std::int64_t at = static_cast<std::int64_t>(b) * E + e;
          const int count = out.blockCounts[at];
          out.blockCounts[at] = place;
          place += count;
        }
      }
    }
    if (warp() != 0) return;
    RoutingSums all = {};
    for (int b = lane(); b < B; b += kWarp) add(all, out.blockSums[b]);
    all = {warpSum(all.entropy), warpSum(all.margin),           warpSum(all.marginTokens),
           warpSum(all.jaccard), warpSum(all.squaredLogSumExp), warpSum(all.termEntropy)};
    if (lane() == 0) *out.sums = all;
  }
};

/// The experts' lists: a block writes its tokens', each behind those of earlier tokens.
struct FillDispatch {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "fill dispatch";
  RoutingView in;
  std::int32_t *token, *slot, *tokenBegin, *assignmentOf;
  float* weight;

  static int sharedBytes(int slots) { return kTokensOfBlock * slots * 4; }

  MOE_DEVICE void operator()() const {
    int* const asked = shared<int>();
    const int begin = block().x * kTokensOfBlock, k = in.slots;
    const int tokens = in.tokens - begin < kTokensOfBlock ? in.tokens - begin : kTokensOfBlock;
    for (int i = threadOfBlock(); i < tokens * k; i += kThreads)
      asked[i] = in.asked[static_cast<std::int64_t>(begin) * k + i];
    sync();
    for (int i = threadOfBlock(); i < tokens * k; i += kThreads) {
      const int e = asked[i], t = begin + i / k;
      int place = in.blockCounts[static_cast<std::int64_t>(block().x) * in.experts + e];
      for (int j = 0; j < i / k * k; ++j) place += asked[j] == e;
      const std::int64_t at = static_cast<std::int64_t>(begin) * k + i;
      token[place] = t;
      slot[place] = i % k;
      weight[place] = in.weight[at];
      assignmentOf[at] = place;
    }
    for (int i = threadOfBlock(); i < tokens; i += kThreads) tokenBegin[begin + i] = (begin + i) * k;
    if (threadOfBlock() == 0 && begin + tokens == in.tokens) tokenBegin[in.tokens] = in.tokens * k;
  }
};

}  // namespace moe::cuda
