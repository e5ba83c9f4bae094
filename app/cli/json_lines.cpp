#include "app/cli/json_lines.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace moe::cli {

using json = nlohmann::ordered_json;

namespace {

/// Its index; "head" for a mixture head, which has none.
json layerNumber(int layer) { return layer == kHeadLayer ? json("head") : json(layer); }

json orNull(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

}  // namespace

void printLine(const json& object) {
  std::puts(object.dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

json stepLine(const StepPoint& point, const std::vector<Alert>& alerts) {
  json line = {{"step", point.step}, {"loss", point.loss}};
  if (point.validationLoss) line["val_loss"] = *point.validationLoss;
  line["aux_loss"] = point.auxLoss;
  line["z_loss"] = point.zLoss;
  line["tokens_per_second"] = point.tokensPerSecond;
  for (const char* list : {"load", "max_vio", "dropped", "router_entropy", "alerts"}) line[list] = json::array();
  for (const LayerPoint& layer : point.layers) {
    line["load"].push_back(layer.load);
    line["max_vio"].push_back(layer.maxVio);
    line["dropped"].push_back(layer.dropRate);
    line["router_entropy"].push_back(layer.routerEntropy);
  }
  for (const Alert& alert : alerts)
    line["alerts"].push_back(
        {{"layer", layerNumber(alert.layer)}, {"expert", alert.expert}, {"utilization", alert.utilization}});
  return line;
}

json closingLine(const Closing& closing) {
  json dead = json::array();
  for (const ExpertUtilization& expert : closing.dead)
    dead.push_back({{"layer", layerNumber(expert.layer)}, {"expert", expert.expert}});
  return {{"done", true},
          {"run", closing.run},
          {"steps", closing.steps},
          {"train_loss", orNull(closing.trainLoss)},
          {"val_loss", orNull(closing.validationLoss)},
          {"validated_tokens", closing.validatedTokens},
          {"held_out_tokens", closing.heldOutTokens},
          {"tokens_per_second", closing.tokensPerSecond},
          {"max_vio", closing.maxVio},
          {"dead_experts", dead},
          {"checkpoint", closing.checkpoint}};
}

json routingObject(const TextRouting& routing) {
  json tokens = json::array();
  for (const TokenRouting& token : routing.tokens) {
    json layers = json::array();
    for (const TokenLayerRouting& layer : token.layers)
      layers.push_back({{"experts", layer.experts},
                        {"weights", layer.weights},
                        {"probs", layer.probabilities},
                        {"dropped", layer.dropped}});
    // The first token has no loss: nothing stands before it. A number that is not finite is written as null.
    tokens.push_back({{"text", token.text}, {"id", token.id}, {"loss", token.loss}, {"layers", layers}});
    if (token.given) tokens.back()["given"] = *token.given;
  }
  return {{"tokens", tokens}, {"left_out", routing.leftOut}};
}

}  // namespace moe::cli
