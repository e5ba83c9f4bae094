#include "core/router/block.h"

#include "core/config/table.h"
#include "core/router/recipe.h"

namespace moe {

const SettingTable<Recipe>& blockRows() {
  using namespace rows;
  static const SettingTable<Recipe> table = SettingTable<Recipe>{
      "block",
      "Block",
      "Where the experts stand in a layer.",
      {choice<&Recipe::block, &Recipe::Block::moeReads>(
           {.path = "block.moe_reads",
            .label = "Experts read",
            .tooltip = "Where in the block the router and experts take their input."},
           Choices<Recipe::Block::MoeReads>{{Recipe::Block::MoeReads::postAttention,
                                             {"post_attention", "After attention", "h = x + attn(x); y = h + MoE(h)",
                                              "The usual place: attention first."}},
                                            {Recipe::Block::MoeReads::preAttention,
                                             {"pre_attention", "Before attention", "h = x + attn(x); y = h + MoE(x)",
                                              "Experts run beside attention, on the same input."}}}),
       constant<Recipe>("block.norm", "rms"),
       // No field of its own: where it is absent, the model's holds.
       value<&Recipe::block, &Recipe::Block::normEpsilon>(
           {.path = "block.norm_epsilon",
            .minimum = 1e-30,
            .maximum = 0.999})}}.withDefaultsOf();
  return table;
}

}  // namespace moe
