#include "core/backend/onednn/experts_plan.h"

#include <algorithm>
#include <cmath>

namespace moe {
namespace {

constexpr std::int64_t kTokensPerCombine = 128;

std::int64_t admittedOf(const Dispatch& dispatch, std::int32_t expert) {
  const auto e = static_cast<std::size_t>(expert);
  return dispatch.admittedEnd[e] - dispatch.expertBegin[e];
}

/// Rows of the first matrix of an expert: 2F where gate and up are interleaved.
std::int64_t upRows(const ExpertsSpec& spec, std::int32_t expert) {
  const std::int64_t hidden = spec.hidden[static_cast<std::size_t>(expert)];
  return spec.kind == ExpertKind::linear ? 0 : spec.kind == ExpertKind::clampedGlu ? 2 * hidden : hidden;
}

/// Columns of the second matrix.
std::int64_t downColumns(const ExpertsSpec& spec, std::int32_t expert) {
  return spec.kind == ExpertKind::linear ? spec.width : spec.hidden[static_cast<std::size_t>(expert)];
}

void largestFirst(std::vector<ExpertTask>& tasks) {
  // Insertion order breaks ties; a stable sort would allocate.
  std::sort(tasks.begin(), tasks.end(), [](const ExpertTask& a, const ExpertTask& b) {
    if (a.cost != b.cost) return a.cost > b.cost;
    if (a.kind != b.kind) return a.kind < b.kind;
    return a.expert != b.expert ? a.expert < b.expert : a.begin < b.begin;
  });
}

void addTiles(std::vector<ExpertTask>& tasks, ExpertTask::Kind kind, std::int32_t expert, std::int64_t rows,
              double costPerRow, double wanted, std::int64_t tile) {
  if (tile == 0) {
    const auto ideal = static_cast<std::int64_t>(wanted / costPerRow) / 16 * 16;
    tile = std::clamp<std::int64_t>(ideal, 64, std::max<std::int64_t>(64, rows));
  }
  for (std::int64_t begin = 0; begin < rows; begin += tile) {
    const std::int64_t end = std::min(rows, begin + tile);
    tasks.push_back({kind, expert, begin, end, costPerRow * static_cast<double>(end - begin)});
  }
}

}  // namespace

void planRows(std::vector<ExpertTask>& tasks, const Dispatch& dispatch, const ExpertsSpec& spec, int threads,
              std::int64_t most, std::int64_t granule) {
  tasks.clear();
  const std::int64_t even = (dispatch.admitted() + 4 * threads - 1) / (4 * threads);
  most = std::clamp<std::int64_t>((even + granule - 1) / granule * granule, std::min<std::int64_t>(64, most), most);
  const auto rounded = [&](std::int64_t row) { return (row + granule - 1) / granule * granule; };
  for (std::int32_t e = 0; e < dispatch.experts; ++e) {
    const std::int64_t first = dispatch.expertBegin[static_cast<std::size_t>(e)], rows = admittedOf(dispatch, e);
    const std::int64_t parts = (rows + most - 1) / most;
    const auto costPerRow = static_cast<double>(downColumns(spec, e) + upRows(spec, e));
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::int64_t begin = first + std::min(rows, rounded(rows * part / parts)),
                         end = first + std::min(rows, rounded(rows * (part + 1) / parts));
      if (begin == end) continue;
      tasks.push_back({ExpertTask::Kind::rows, e, begin, end, costPerRow * static_cast<double>(end - begin)});
    }
  }
  largestFirst(tasks);
}

void planGradients(std::vector<ExpertTask>& tasks, const Dispatch& dispatch, const ExpertsSpec& spec, int threads,
                   std::int64_t tile, bool everyExpert) {
  tasks.clear();
  const bool twoUps = spec.kind == ExpertKind::glu;
  const auto upCost = [&](std::int32_t e) {
    return static_cast<double>(admittedOf(dispatch, e) * spec.width * (twoUps ? 2 : 1));
  };
  const auto downCost = [&](std::int32_t e) {
    return static_cast<double>(admittedOf(dispatch, e) * downColumns(spec, e));
  };
  double total = 0;
  for (std::int32_t e = 0; e < dispatch.experts; ++e)
    total += upCost(e) * static_cast<double>(upRows(spec, e)) + downCost(e) * static_cast<double>(spec.outputWidth);
  const double wanted = total / (8 * threads);
  for (std::int32_t e = 0; e < dispatch.experts; ++e) {
    if (admittedOf(dispatch, e) == 0) {
      if (!everyExpert) continue;
      tasks.push_back({ExpertTask::Kind::upGradient, e, 0, upRows(spec, e), 0});
      tasks.push_back({ExpertTask::Kind::downGradient, e, 0, spec.outputWidth, 0});
      continue;
    }
    addTiles(tasks, ExpertTask::Kind::upGradient, e, upRows(spec, e), upCost(e), wanted, tile);
    addTiles(tasks, ExpertTask::Kind::downGradient, e, spec.outputWidth, downCost(e), wanted, tile);
  }
  for (std::int64_t begin = 0; begin < dispatch.tokens; begin += kTokensPerCombine)
    tasks.push_back({ExpertTask::Kind::combine, 0, begin, std::min(dispatch.tokens, begin + kTokensPerCombine), 0});
  largestFirst(tasks);
}

bool hasUnitWeights(const Dispatch& dispatch) {
  return std::all_of(dispatch.weight.begin(), dispatch.weight.end(), [](double weight) { return weight == 1.0; });
}

std::int64_t widestHidden(const ExpertsSpec& spec) {
  return spec.hidden.empty() ? 0 : *std::max_element(spec.hidden.begin(), spec.hidden.end());
}

}  // namespace moe
