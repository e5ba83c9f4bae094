#include "core/telemetry/health.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/base/index.h"
#include "core/telemetry/token_rows.h"

namespace moe {

namespace {

std::span<const std::int32_t> rowOf(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t t) {
  return table.subspan(at(t * slots), at(slots));
}

bool contains(std::span<const std::int32_t> row, std::int32_t expert) {
  return expert >= 0 && std::find(row.begin(), row.end(), expert) != row.end();
}

std::int64_t common(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  return std::count_if(a.begin(), a.end(), [&](std::int32_t expert) { return contains(b, expert); });
}

std::int64_t used(std::span<const std::int32_t> row) {
  return std::count_if(row.begin(), row.end(), [](std::int32_t expert) { return expert >= 0; });
}

/// Mean over the rows of one value a row.
template <class Value>
double meanOverTokens(std::int64_t tokens, Value value) {
  double sum = 0;
  for (std::int64_t t = 0; t < tokens; ++t) sum += value(t);
  return tokens > 0 ? sum / static_cast<double>(tokens) : 0;
}

template <class Count>
LoadHealth healthOf(std::span<const Count> counts) {
  LoadHealth health;
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  if (total == 0) {
    health.unused = static_cast<std::int64_t>(counts.size());
    return health;
  }
  const auto experts = static_cast<double>(counts.size());
  const double mean = total / experts;
  double largest = 0, smallest = std::numeric_limits<double>::infinity(), distance = 0, squares = 0, entropy = 0;
  for (const Count count : counts) {
    const auto c = static_cast<double>(count);
    largest = std::max(largest, c);
    smallest = std::min(smallest, c);
    distance += std::abs(c - mean);
    squares += (c - mean) * (c - mean);
    entropy += entropyOf(c / total);
    health.unused += count == 0;
  }
  health.maxVio = largest / mean - 1;
  health.minOverMean = smallest / mean;
  health.avgVio = distance / experts / mean;
  health.cv2 = squares / experts / (mean * mean);
  health.entropy = counts.size() > 1 ? entropy / std::log(experts) : 1;
  return health;
}

}  // namespace

double cv2(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.empty() || mean == 0) return 0;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return squares / n / (mean * mean);
}

LoadHealth loadHealth(std::span<const std::int64_t> counts) { return healthOf(counts); }
LoadHealth loadHealth(std::span<const double> weights) { return healthOf(weights); }

std::vector<double> loadFraction(std::span<const std::int64_t> counts) {
  const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  std::vector<double> out(counts.size(), 0.0);
  for (std::size_t e = 0; e < counts.size() && total > 0; ++e)
    out[e] = static_cast<double>(counts[e]) / static_cast<double>(total);
  return out;
}

std::vector<double> utilization(std::span<const std::int64_t> counts) {
  const std::int64_t total = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  std::vector<double> out(counts.size(), 0.0);
  const double mean = static_cast<double>(total) / static_cast<double>(counts.size());
  for (std::size_t e = 0; e < counts.size() && total > 0; ++e) out[e] = static_cast<double>(counts[e]) / mean;
  return out;
}

std::vector<std::int64_t> countSelections(std::span<const std::int32_t> table, std::int64_t experts) {
  std::vector<std::int64_t> counts(at(experts), 0);
  for (const std::int32_t expert : table)
    if (expert >= 0) ++counts[at(expert)];
  return counts;
}

std::vector<double> maxVioByGroup(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t experts,
                                  std::span<const std::int32_t> groupOf, std::int64_t groups) {
  assert(rowsOf(table.size(), slots) == static_cast<std::int64_t>(groupOf.size()));
  std::vector<std::int64_t> counts(at(groups * experts), 0);
  for (std::int64_t t = 0; t < static_cast<std::int64_t>(groupOf.size()); ++t)
    for (const std::int32_t expert : rowOf(table, slots, t))
      if (expert >= 0 && groupOf[at(t)] >= 0) ++counts[at(groupOf[at(t)] * experts + expert)];
  std::vector<double> out;
  for (std::int64_t g = 0; g < groups; ++g)
    out.push_back(loadHealth(std::span<const std::int64_t>(counts).subspan(at(g * experts), at(experts))).maxVio);
  return out;
}

DropHealth dropHealth(std::span<const std::int32_t> final, std::int64_t slots, std::int64_t asked,
                      std::int64_t dropped) {
  DropHealth health;
  health.dropRate = asked > 0 ? static_cast<double>(dropped) / static_cast<double>(asked) : 0;
  const std::int64_t tokens = rowsOf(final.size(), slots);
  if (tokens > 0) health.tokenDropRate = static_cast<double>(tokensWithout(final, slots)) / static_cast<double>(tokens);
  return health;
}

double saturation(std::span<const std::int32_t> table, std::span<const std::int32_t> reference, std::int64_t slots) {
  assert(table.size() == reference.size());
  double sum = 0;
  std::int64_t counted = 0;
  for (std::int64_t t = 0; t < rowsOf(table.size(), slots); ++t) {
    const auto then = rowOf(reference, slots, t);
    const std::int64_t chosen = used(then);
    if (chosen == 0) continue;
    sum += static_cast<double>(common(rowOf(table, slots, t), then)) / static_cast<double>(chosen);
    ++counted;
  }
  return counted > 0 ? sum / static_cast<double>(counted) : 0;
}

double firstChoiceSaturation(std::span<const std::int32_t> table, std::span<const std::int32_t> reference,
                             std::int64_t slots) {
  assert(table.size() == reference.size());
  return meanOverTokens(rowsOf(table.size(), slots),
                        [&](std::int64_t t) { return table[at(t * slots)] == reference[at(t * slots)] ? 1.0 : 0.0; });
}

double churn(std::span<const std::int32_t> before, std::int64_t slotsBefore, std::span<const std::int32_t> after,
             std::int64_t slotsAfter) {
  const std::int64_t tokens = rowsOf(after.size(), slotsAfter);
  assert(tokens == rowsOf(before.size(), slotsBefore));
  std::int64_t stayed = 0;
  for (std::int64_t t = 0; t < tokens; ++t)
    stayed += common(rowOf(after, slotsAfter, t), rowOf(before, slotsBefore, t));
  const std::int64_t all = used(after);
  return all > 0 ? 1 - static_cast<double>(stayed) / static_cast<double>(all) : 0;
}

std::int64_t tokensWithout(std::span<const std::int32_t> table, std::int64_t slots) {
  std::int64_t count = 0;
  for (std::int64_t t = 0; t < rowsOf(table.size(), slots); ++t) count += used(rowOf(table, slots, t)) == 0;
  return count;
}

double jaccardSum(std::span<const std::int32_t> a, std::int64_t slotsA, std::span<const std::int32_t> b,
                  std::int64_t slotsB) {
  const std::int64_t tokens = rowsOf(a.size(), slotsA);
  assert(tokens == rowsOf(b.size(), slotsB));
  double sum = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto rowA = rowOf(a, slotsA, t), rowB = rowOf(b, slotsB, t);
    const std::int64_t both = common(rowA, rowB), either = used(rowA) + used(rowB) - both;
    sum += either > 0 ? static_cast<double>(both) / static_cast<double>(either) : 1.0;
  }
  return sum;
}

double meanJaccard(std::span<const std::int32_t> a, std::int64_t slotsA, std::span<const std::int32_t> b,
                   std::int64_t slotsB) {
  const std::int64_t tokens = rowsOf(a.size(), slotsA);
  return tokens > 0 ? jaccardSum(a, slotsA, b, slotsB) / static_cast<double>(tokens) : 0;
}

std::vector<std::int64_t> coactivation(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t experts) {
  std::vector<std::int64_t> out(at(experts * experts), 0);
  for (std::int64_t t = 0; t < rowsOf(table.size(), slots); ++t) {
    const auto row = rowOf(table, slots, t);
    for (const std::int32_t i : row)
      for (const std::int32_t j : row)
        if (i >= 0 && j >= 0 && i != j) ++out[at(i * experts + j)];
  }
  return out;
}

std::vector<double> coactivationGivenRow(std::span<const std::int64_t> coactivation,
                                         std::span<const std::int64_t> counts) {
  const std::size_t experts = counts.size();
  assert(coactivation.size() == experts * experts);
  std::vector<double> out(coactivation.size(), 0.0);
  for (std::size_t i = 0; i < experts; ++i)
    for (std::size_t j = 0; j < experts; ++j)
      if (counts[i] > 0)
        out[i * experts + j] = static_cast<double>(coactivation[i * experts + j]) / static_cast<double>(counts[i]);
  return out;
}

std::vector<double> specialisation(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t experts,
                                   std::span<const std::int32_t> groupOf, std::int64_t groups) {
  assert(rowsOf(table.size(), slots) == static_cast<std::int64_t>(groupOf.size()));
  std::vector<double> out(at(groups * experts), 0.0);
  std::vector<std::int64_t> tokens(at(groups), 0);
  for (std::int64_t t = 0; t < static_cast<std::int64_t>(groupOf.size()); ++t) {
    const std::int64_t group = groupOf[at(t)];
    if (group < 0) continue;
    ++tokens[at(group)];
    for (const std::int32_t expert : rowOf(table, slots, t))
      if (expert >= 0) ++out[at(group * experts + expert)];
  }
  for (std::int64_t g = 0; g < groups; ++g)
    for (std::int64_t e = 0; e < experts && tokens[at(g)] > 0; ++e)
      out[at(g * experts + e)] /= static_cast<double>(tokens[at(g)]);
  return out;
}

std::vector<double> specialisation(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t experts,
                                   std::span<const std::int32_t> groupOf, std::int64_t groups,
                                   std::span<const double> weights) {
  assert(weights.size() == table.size() && rowsOf(table.size(), slots) == static_cast<std::int64_t>(groupOf.size()));
  std::vector<double> out(at(groups * experts), 0.0);
  std::vector<std::int64_t> tokens(at(groups), 0);
  for (std::int64_t t = 0; t < static_cast<std::int64_t>(groupOf.size()); ++t) {
    const std::int64_t group = groupOf[at(t)];
    if (group < 0) continue;
    ++tokens[at(group)];
    for (std::int64_t i = t * slots; i < (t + 1) * slots; ++i)
      if (table[at(i)] >= 0) out[at(group * experts + table[at(i)])] += weights[at(i)];
  }
  for (std::int64_t g = 0; g < groups; ++g)
    for (std::int64_t e = 0; e < experts && tokens[at(g)] > 0; ++e)
      out[at(g * experts + e)] /= static_cast<double>(tokens[at(g)]);
  return out;
}

std::vector<std::int32_t> heaviestChoices(std::span<const std::int32_t> table, std::int64_t slots,
                                          std::span<const double> weights) {
  assert(weights.size() == table.size());
  std::vector<std::int32_t> first(at(rowsOf(table.size(), slots)), -1);
  for (std::int64_t t = 0; t < static_cast<std::int64_t>(first.size()); ++t) {
    double most = 0;
    for (std::int64_t i = t * slots; i < (t + 1) * slots; ++i) {
      if (table[at(i)] < 0 || (first[at(t)] >= 0 && weights[at(i)] <= most)) continue;
      first[at(t)] = table[at(i)];
      most = weights[at(i)];
    }
  }
  return first;
}

std::vector<std::int32_t> firstChoices(std::span<const std::int32_t> table, std::int64_t slots) {
  std::vector<std::int32_t> first;
  for (std::int64_t t = 0; t < rowsOf(table.size(), slots); ++t) first.push_back(table[at(t * slots)]);
  return first;
}

double meanLargestShare(std::span<const std::int32_t> first, std::span<const std::int32_t> groupOf) {
  assert(first.size() == groupOf.size());
  std::vector<std::pair<std::int32_t, std::int32_t>> choices;  // group, expert
  for (std::size_t t = 0; t < first.size(); ++t)
    if (groupOf[t] >= 0) choices.emplace_back(groupOf[t], first[t]);
  std::sort(choices.begin(), choices.end());
  double sum = 0;
  std::int64_t groups = 0;
  for (auto group = choices.begin(); group != choices.end(); ++groups) {
    const auto end =
        std::find_if(group, choices.end(), [&](const auto& choice) { return choice.first != group->first; });
    std::ptrdiff_t largest = 0;
    for (auto same = group; same != end;) {
      const auto next = std::find_if(same, end, [&](const auto& choice) { return choice.second != same->second; });
      if (same->second >= 0) largest = std::max(largest, next - same);
      same = next;
    }
    sum += static_cast<double>(largest) / static_cast<double>(end - group);
    group = end;
  }
  return groups > 0 ? sum / static_cast<double>(groups) : 0;
}

}  // namespace moe
