#pragma once
// From d(assignment weight) and the balance terms to d(logits): a warp a token. See core/router/weigh, balance_backward
// and score for the mathematics, stage by stage.
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/route_tokens.cuh"

namespace moe::cuda {

/// One balance term of backward: `scale` is its coefficient with the loss's scale.
struct TermSlope {
  Recipe::BalanceTerm::Kind kind;
  float scale;
  const double* slope;  // (E) of load terms
};

/// kEach: experts of a lane, lane + 32 i.
template <int kEach>
struct RouteBackward {
  static constexpr int kThreads = 128;
  static constexpr const char* kName = "route backward";
  float* dLogits;  // (T, E)
  RoutingView in;
  const std::int32_t* assignmentOf;  // (T, k)
  const double* dAssignment;         // null: no language loss
  const RouteNumbers* numbers;
  const TermSlope* terms;
  int termCount;
  Recipe::Score score;
  Recipe::Weigh::Kind weigh;

  MOE_DEVICE void operator()() const {
    const int t = block().x * (kThreads / kWarp) + warp();
    if (t >= in.tokens) return;
    const std::int64_t row = static_cast<std::int64_t>(t) * in.experts;
    float s[kEach], dScore[kEach] = {}, dLogit[kEach] = {};
    MOE_UNROLL for (int i = 0; i < kEach; ++i) {
      const int e = lane() + kWarp * i;
      s[i] = e < in.experts ? in.scores[row + e] : 0.0f;
    }
    if (termCount > 0) throughTerms(t, row, s, dScore, dLogit);
    if (dAssignment != nullptr) throughWeights(t, s, dScore, dLogit);
    float inner = 0;
    if (score == Recipe::Score::softmax) {
      MOE_UNROLL for (int i = 0; i < kEach; ++i) inner += s[i] * dScore[i];
      inner = warpSum(inner);
    }
    MOE_UNROLL for (int i = 0; i < kEach; ++i) {
      const int e = lane() + kWarp * i;
      if (e >= in.experts) continue;
      const float through = score == Recipe::Score::softmax   ? s[i] * (dScore[i] - inner)
                            : score == Recipe::Score::sigmoid ? dScore[i] * s[i] * (1 - s[i])
                                                              : dScore[i];
      dLogits[row + e] = dLogit[i] + through;
    }
  }

  MOE_DEVICE void throughTerms(int t, std::int64_t row, const float (&s)[kEach], float (&dScore)[kEach],
                               float (&dLogit)[kEach]) const {
    using Kind = Recipe::BalanceTerm::Kind;
    const float mean = 1.0f / static_cast<float>(in.tokens);
    float total = 1;
    if (score == Recipe::Score::sigmoid) {
      total = 0;
      MOE_UNROLL for (int i = 0; i < kEach; ++i) total += s[i];
      total = warpSum(total);
    }
    const float inverse = total > 0 ? 1.0f / total : 0.0f;
    float dProbability[kEach] = {};
    for (int n = 0; n < termCount; ++n) {
      const TermSlope term = terms[n];
      if (term.scale == 0) continue;
      const float each = term.scale * mean;
      const float logSum = term.kind == Kind::z ? in.logSumExp[t] : 0.0f;
      MOE_UNROLL for (int i = 0; i < kEach; ++i) {
        const int e = lane() + kWarp * i;
        if (e >= in.experts) continue;
        if (term.kind == Kind::z) {
          dLogit[i] += each * 2 * logSum * expf(in.logits[row + e] - logSum);
        } else if (term.kind == Kind::entropy) {
          const float p = s[i] * inverse;
          if (p > 0) dProbability[i] -= each * (logf(p) + 1);
        } else {
          dProbability[i] += static_cast<float>(term.slope[e]) * each;
        }
      }
    }
    if (score != Recipe::Score::sigmoid) {
      MOE_UNROLL for (int i = 0; i < kEach; ++i) dScore[i] += dProbability[i];
      return;
    }
    float inner = 0;
    MOE_UNROLL for (int i = 0; i < kEach; ++i) inner += dProbability[i] * s[i];
    inner = warpSum(inner) * inverse;
    MOE_UNROLL for (int i = 0; i < kEach; ++i) dScore[i] += (dProbability[i] - inner) * inverse;
  }

  MOE_DEVICE void throughWeights(int t, const float (&s)[kEach], float (&dScore)[kEach], float (&dLogit)[kEach]) const {
    using Kind = Recipe::Weigh::Kind;
    if (weigh == Kind::one) return;
    const float scale = numbers->scale;
    const std::int64_t at = static_cast<std::int64_t>(t) * in.slots + lane();
    int chosen = -1;
    float dWeight = 0, weight = 0;
    if (lane() < in.slots) {
      chosen = in.asked[at];
      weight = in.weight[at];
      dWeight = static_cast<float>(dAssignment[assignmentOf[at]]);
    }
    float change = dWeight * scale;
    if (weigh != Kind::score) {
      const float inner = warpSum(dWeight * weight);
      if (weigh == Kind::renormalised) {
        float sum = 0;  // of the chosen scores
        for (int j = 0; j < in.slots; ++j) sum += RouteTokens<kEach>::ofExpert(s, shuffle(chosen, j));
        sum += numbers->epsilon;
        change = sum != 0 ? (change - inner) / sum : 0.0f;
      } else {
        change = scale != 0 ? weight * (dWeight - inner / scale) : 0.0f;
      }
    }
    for (int j = 0; j < in.slots; ++j) {
      const int e = shuffle(chosen, j);
      const float of = shuffle(change, j);
      if (e % kWarp != lane()) continue;
      MOE_UNROLL for (int i = 0; i < kEach; ++i) {
        if (e / kWarp != i) continue;
        if (weigh == Kind::softmaxSelected)
          dLogit[i] += of;
        else
          dScore[i] += of;
      }
    }
  }
};

}  // namespace moe::cuda
