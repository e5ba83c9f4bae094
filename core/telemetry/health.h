#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace moe {

// How a routing does, exactly: sums in f64, in index order. A table of selections is (T, slots) expert indices in
// selection order, -1 where a slot is unused. Counts c are asked assignments (before capacity) of one layer over a
// window of tokens.

// Load.

/// What counts c (E) say; m = mean c. Everything is 0 for a window without assignments.
struct LoadHealth {
  double maxVio = 0;        // max c / m - 1
  double minOverMean = 0;   // min c / m
  double avgVio = 0;        // mean |c - m| / m
  double cv2 = 0;           // population variance of c / m^2
  double entropy = 0;       // -sum q log q / log E of the shares q = c / sum c: 0..1 (1 for a single expert)
  std::int64_t unused = 0;  // experts with c = 0 in this window. Dead is another thing: see CollapseDetector
};
LoadHealth loadHealth(std::span<const std::int64_t> counts);
/// The same of assignments that count by their weights.
LoadHealth loadHealth(std::span<const double> weights);
/// c / sum c and c / m, (E) each.
std::vector<double> loadFraction(std::span<const std::int64_t> counts);
std::vector<double> utilization(std::span<const std::int64_t> counts);
/// Population variance / mean^2; 0 where the mean is 0.
double cv2(std::span<const double> values);
/// (E) selections of each expert in a table.
std::vector<std::int64_t> countSelections(std::span<const std::int32_t> table, std::int64_t experts);
/// (groups) MaxVio of each group of tokens; groupOf (T). Used with batches: its mean is MaxVio per batch, while
/// loadHealth of all tokens together gives MaxVio global.
std::vector<double> maxVioByGroup(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t experts,
                                  std::span<const std::int32_t> groupOf, std::int64_t groups);

// Drops.

struct DropHealth {
  double dropRate = 0;       // assignments asked but not admitted / asked
  double tokenDropRate = 0;  // tokens with no admitted assignment / T
};
/// `final`: the table after capacity.
DropHealth dropHealth(std::span<const std::int32_t> final, std::int64_t slots, std::int64_t asked,
                      std::int64_t dropped);

// Selections compared. Both tables are of the same tokens.

/// Mean over tokens of (experts in both sets) / (experts of the reference): router saturation against a later
/// checkpoint, |now and then| / k where every token has k. Tokens without any in the reference are left out.
double saturation(std::span<const std::int32_t> table, std::span<const std::int32_t> reference, std::int64_t slots);
/// Share of tokens with the same first choice.
double firstChoiceSaturation(std::span<const std::int32_t> table, std::span<const std::int32_t> reference,
                             std::int64_t slots);
/// Share of the assignments in `after` that `before` did not have: 1 - sum |before and after| / sum |after|. 0 where
/// `after` has none. The rows may differ in length (k was changed in between).
double churn(std::span<const std::int32_t> before, std::int64_t slotsBefore, std::span<const std::int32_t> after,
             std::int64_t slotsAfter);
/// Tokens without any expert in a table.
std::int64_t tokensWithout(std::span<const std::int32_t> table, std::int64_t slots);
/// Sum over tokens of |A and B| / |A or B|, 1 for two empty sets; and its mean.
double jaccardSum(std::span<const std::int32_t> a, std::int64_t slotsA, std::span<const std::int32_t> b,
                  std::int64_t slotsB);
double meanJaccard(std::span<const std::int32_t> a, std::int64_t slotsA, std::span<const std::int32_t> b,
                   std::int64_t slotsB);

// Who goes where.

/// (E, E) N_ij: tokens with both i and j selected, over all pairs of slots; the diagonal is 0.
std::vector<std::int64_t> coactivation(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t experts);
/// (E, E) N_ij / c_i; 0 where c_i is 0.
std::vector<double> coactivationGivenRow(std::span<const std::int64_t> coactivation,
                                         std::span<const std::int64_t> counts);
/// (groups, E) selections of e by tokens of the group / tokens of the group; 0 for absent groups. Groups are domains,
/// input ids or ids predicted next; a negative group leaves the token out.
std::vector<double> specialisation(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t experts,
                                   std::span<const std::int32_t> groupOf, std::int64_t groups);
/// (T) the choice in the first slot.
std::vector<std::int32_t> firstChoices(std::span<const std::int32_t> table, std::int64_t slots);
/// The same of assignments that count by their weights (T, slots).
std::vector<double> specialisation(std::span<const std::int32_t> table, std::int64_t slots, std::int64_t experts,
                                   std::span<const std::int32_t> groupOf, std::int64_t groups,
                                   std::span<const double> weights);
/// (T) the expert of the largest weight (T, slots), the first of equals; -1 for a token without any. Where the slots are
/// experts rather than choices in order, this is the first choice.
std::vector<std::int32_t> heaviestChoices(std::span<const std::int32_t> table, std::int64_t slots,
                                          std::span<const double> weights);
/// Mean over the groups present of the largest share that one expert has of the group's first choices (T), -1 for a token
/// without any. Memory in proportion to T, however many experts and groups there are.
double meanLargestShare(std::span<const std::int32_t> first, std::span<const std::int32_t> groupOf);

}  // namespace moe
