#include <csignal>
#include <cstdio>
#include <exception>

#include "app/cli/commands.h"
#include "app/waiting.h"

int main(int argc, char** argv) {
  moe::waitWithoutSpinning(argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error with a sentence, not the end
  CLI::App program("Trains small Mixture-of-Experts language models and shows where every token goes.", "switchyard-cli");
  program.require_subcommand(1);
  program.set_version_flag("--version", SWITCHYARD_VERSION);
  moe::cli::addTrain(program);
  moe::cli::addInspect(program);
  moe::cli::addEvaluate(program);
  moe::cli::addExperts(program);
  moe::cli::addGenerate(program);
  moe::cli::addPresets(program);
  moe::cli::addVerifyRouting(program);
  moe::cli::addRuns(program);
  moe::cli::addExperiments(program);
  moe::cli::addBench(program);
  moe::cli::addDevices(program);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "switchyard-cli: %s\n", error.what());
    return 1;
  }
  return 0;
}
