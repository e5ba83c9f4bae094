// logits, perturb, score, adjust: from a token to the values experts are ranked by.
#include "core/router/stage_tables.h"

namespace moe {

StageInfo logitsTable() {
  return {
      .id = "logits",
      .label = "Logits",
      .tooltip = "The router's raw opinion of every expert for a token, always in f32 or better.",
      .settings = {choice("logits.kind", "Router", "What gives a token its logits.",
                          {{"linear", "Linear", "z = W x", "One learned row of weights per expert, times the token."},
                           {"none", "None", "no z", "No router at all: experts follow from the token's id (hash)."}}),
                   toggle("logits.bias", "Bias", "z = W x + b", "Adds one learned number per expert to the logits.")},
      .parts = {}};
}

StageInfo perturbTable() {
  return {
      .id = "perturb",
      .label = "Perturb",
      .tooltip = "Randomness in training that makes the router try other experts; off when evaluating and generating.",
      .settings =
          {{.path = "perturb.noise.kind",
            .label = "Noise",
            .kind = SettingKind::choice,
            .tooltip = "Noise on the logits.",
            .changesLive = true,
            .options = {{"none", "None", "z′ = z", "The logits stay as they are."},
                        {"gaussian", "Gaussian", "z′ = z + σ n", "Adds normal noise of one fixed size to every logit."},
                        {"learned", "Learned", "z′ = z + n (softplus(W_noise x) + ε)",
                         "Adds normal noise whose size the router learns for each token and expert."}}},
           {.path = "perturb.noise.sigma",
            .label = "σ",
            .maximum = 10,
            .step = 0.1,
            .formula = "z′ = z + σ n",
            .tooltip = "Standard deviation of the Gaussian noise.",
            .changesLive = true},
           {.path = "perturb.noise.epsilon",
            .label = "ε",
            .maximum = 1,
            .step = 0.001,
            .formula = "softplus(W_noise x) + ε",
            .tooltip = "Least deviation of the learned noise."},
           choice("perturb.noise.applies_to", "Noise reaches", "What the noisy logits are used for.",
                  {{"both", "Selection and weights", "s = score(z′)",
                    "Selection, weights and balance terms all see the noise."},
                   {"selection", "Selection only", "r from z′, s from z",
                    "Noise only changes which experts are chosen; weights and balance terms do not see it."}}),
           {.path = "perturb.input_jitter",
            .label = "Input jitter",
            .maximum = 0.99,
            .step = 0.01,
            .formula = "x · u, u ~ U(1−ε, 1+ε)",
            .tooltip = "Multiplies the router's own copy of its input by random factors near 1; experts see "
                       "the input as it is.",
            .changesLive = true},
           choice("perturb.anneal.kind", "Anneal", "How jitter and noise fade over training.",
                  {{"none", "Constant", "factor 1", "Jitter and noise keep their size."},
                   {"linear", "Linear", "max(0, 1 − t/N)",
                    "Jitter and noise fade to zero in a straight line over N steps."},
                   {"cosine", "Cosine", "(1 + cos(π t/N)) / 2",
                    "Jitter and noise fade to zero along half a cosine over N steps."}}),
           {.path = "perturb.anneal.fraction",
            .label = "Anneal over",
            .maximum = 1,
            .step = 0.05,
            .unit = "of training",
            .formula = "N = fraction · total steps",
            .tooltip = "Share of training after which jitter and noise are gone."},
           {.path = "perturb.whole_expert_dropout",
            .label = "Whole-expert dropout",
            .maximum = 0.95,
            .step = 0.05,
            .formula = "z = −∞ with probability q",
            .tooltip = "Each step hides every expert with this probability, so that no token can rely on one expert.",
            .changesLive = true}},
      .parts = {}};
}

StageInfo scoreTable() {
  return {
      .id = "score",
      .label = "Score",
      .tooltip = "Turns logits into the scores that weights and balance terms are made of.",
      .settings = {choice(
          "score.kind", "Score", "How a logit becomes a score.",
          {{"softmax", "Softmax", "s = exp z / Σ exp z", "Experts compete: a token's scores sum to 1."},
           {"sigmoid", "Sigmoid", "s = 1 / (1 + exp(−z))", "Each expert is scored for itself, between 0 and 1."},
           {"identity", "Identity", "s = z", "The logits are the scores: not probabilities, they may be negative."}})},
      .parts = {}};
}

StageInfo adjustTable() {
  return {.id = "adjust",
          .label = "Adjust",
          .tooltip = "Changes the values experts are ranked by, without touching weights or losses.",
          .settings = {choice("adjust.rank_by", "Rank by", "What experts are ranked by.",
                              {{"scores", "Scores", "r = s", "Experts are ranked by their scores."},
                               {"logits", "Logits", "r = z", "Experts are ranked by their logits, noise included."}}),
                       {.path = "adjust.selection_bias.rate",
                        .label = "Bias rate",
                        .maximum = 0.1,
                        .step = 0.0005,
                        .formula = "b ← b + rate · sign(mean c − c)",
                        .tooltip = "How far a step moves the selection bias of an expert that is over- or underloaded.",
                        .changesLive = true},
                       {.path = "adjust.selection_bias.update",
                        .label = "Bias update",
                        .kind = SettingKind::choice,
                        .tooltip = "How the bias follows the load.",
                        .changesLive = true,
                        .options = {{"sign", "Sign", "b ← b + rate · sign(mean c − c)",
                                     "Every under-used expert gains the same amount, every over-used one loses it."},
                                    {"proportional", "Proportional", "b ← b + rate · (mean c − c) / mean c",
                                     "The further an expert's load is from the mean, the larger its correction."}}},
                       {.path = "adjust.expert_groups.count",
                        .label = "Groups",
                        .kind = SettingKind::integer,
                        .minimum = 1,
                        .maximum = 256,
                        .step = 1,
                        .unit = "groups",
                        .formula = "E / count experts a group",
                        .tooltip = "Splits the experts into this many equal contiguous groups."},
                       {.path = "adjust.expert_groups.keep",
                        .label = "Keep",
                        .kind = SettingKind::integer,
                        .minimum = 1,
                        .maximum = 256,
                        .step = 1,
                        .unit = "groups",
                        .formula = "r = −∞ outside the kept groups",
                        .tooltip = "A token may only use experts of this many best groups."},
                       choice("adjust.expert_groups.by", "Group score", "What a group is worth to a token.",
                              {{"max", "Best expert", "max of r in the group",
                                "A group counts as much as its best expert."},
                               {"top2_sum", "Best two", "sum of the two largest r",
                                "A group counts as much as its two best experts together."}})},
          .parts = {{"adjust.selection_bias", "Selection bias",
                     "Loss-free balancing: a bias per expert that only the selection sees, moved after each step "
                     "towards equal load."},
                    {"adjust.expert_groups", "Expert groups",
                     "Limits each token to the experts of a few groups, as where groups live on different devices."}}};
}

}  // namespace moe
