#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/json_lines.h"
#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/formats/checkpoint.h"
#include "core/session/checkpoints.h"
#include "core/train/expert_surgery.h"

namespace moe::cli {

namespace {

struct ExpertsOptions {
  std::string checkpoint, to, layer = "all", from = "busiest";
  ExpertSurgery surgery;
  bool warmStart = false, json = false;
};

void operateOn(ExpertsOptions options, ExpertSurgery::Kind kind) {
  ExpertSurgery surgery = options.surgery;
  surgery.kind = kind;
  surgery.layer = options.layer == "all" ? ExpertSurgery::kAllLayers : std::stoi(options.layer);
  surgery.from = options.from == "fresh" ? ExpertSurgery::From::fresh : ExpertSurgery::From::busiest;
  surgery.coldStart = !options.warmStart;
  Checkpoint checkpoint = loadCheckpoint(options.checkpoint);
  const std::filesystem::path folder = stepFolder(options.to, checkpoint.state.step);
  if (std::filesystem::exists(folder))
    throw Error("experts",
                folder.string() + ": expected no checkpoint there yet, found one; name another folder with --to");
  const std::string what = operate(checkpoint.config, checkpoint.state, checkpoint.watch, surgery);
  std::filesystem::create_directories(options.to);
  saveCheckpoint(folder, checkpoint);
  if (options.json)
    return printLine({{"text", what}, {"step", checkpoint.state.step}, {"checkpoint", folder.string()}});
  std::printf("%s\nContinue with: switchyard-cli train --resume %s\n", what.c_str(), folder.c_str());
}

}  // namespace

void addExperts(CLI::App& program) {
  CLI::App* experts =
      program.add_subcommand("experts", "Adds experts to a checkpoint, or removes one: writes another checkpoint");
  experts->require_subcommand(1);
  const auto options = std::make_shared<ExpertsOptions>();
  const auto add = [&](const char* name, const char* about, ExpertSurgery::Kind kind) {
    CLI::App* command = experts->add_subcommand(name, about);
    command->add_option("--checkpoint", options->checkpoint, "A checkpoint's folder, or a run's")->required();
    command->add_option("--to", options->to, "Folder that gets the changed checkpoint as step-N")->required();
    command->add_option("--layer", options->layer, "A layer, counted from 0, or all")
        ->check([](const std::string& text) {
          const bool number =
              !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == std::string::npos;
          return number || text == "all" ? std::string() : "expected a layer's number or all, found " + text;
        })
        ->capture_default_str();
    command->add_flag("--json", options->json, "One JSON object");
    command->callback([options, kind] { operateOn(*options, kind); });
    return command;
  };
  CLI::App* more = add("add", "More experts, behind the present ones", ExpertSurgery::Kind::add);
  more->add_option("--count", options->surgery.count, "How many")->capture_default_str();
  more->add_option("--from", options->from, "A copy of the layer's busiest expert, or fresh weights")
      ->check(CLI::IsMember({"busiest", "fresh"}))
      ->capture_default_str();
  more->add_option("--noise", options->surgery.noise, "Added to a copy: deviation as a share of the weights' own")
      ->capture_default_str();
  more->add_option("--cold-start-fraction", options->surgery.fraction, "Of the tokens, sent to the new experts")
      ->capture_default_str();
  more->add_option("--cold-start-steps", options->surgery.steps, "For so long")->capture_default_str();
  more->add_flag("--no-cold-start", options->warmStart, "Send no tokens to them but those that choose them");
  CLI::App* less = add("remove", "One expert less; those behind it move up", ExpertSurgery::Kind::remove);
  less->add_option("--expert", options->surgery.expert, "Which one, counted from 0")->required();
}

}  // namespace moe::cli
