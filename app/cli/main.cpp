#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>

#include "app/cli/commands.h"
#include "app/enough_threads.h"
#include "app/waiting.h"
#include "core/base/signals.h"
#include "core/base/utf8.h"
#include "core/session/sentence.h"

namespace {

/// What was printed has reached its file, pipe or terminal; said once here for every subcommand.
bool outputWritten() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
  std::fputs(
      "switchyard-cli: standard output: expected to take all that was printed, found that it took only a part; "
      "see whether its disk is full or its reader has ended, and start again\n",
      stderr);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  moe::waitWithoutSpinning(argv);
  moe::requireThreads("switchyard-cli", 2);
  moe::EndingSignals ending;
  moe::takeNoSignals();           // this thread computes
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error with a sentence, not the end
  CLI::App program("Trains small Mixture-of-Experts language models and shows where every token goes.",
                   "switchyard-cli");
  program.require_subcommand(1);
  program.set_version_flag("--version", SWITCHYARD_VERSION);
  moe::cli::addTrain(program, ending);
  moe::cli::addInspect(program);
  moe::cli::addEvaluate(program);
  moe::cli::addExperts(program);
  moe::cli::addGenerate(program);
  moe::cli::addPresets(program);
  moe::cli::addSettings(program);
  moe::cli::addVerifyRouting(program);
  moe::cli::addRuns(program);
  moe::cli::addExperiments(program);
  moe::cli::addBench(program);
  moe::cli::addDevices(program);
  const auto refused = [](const std::string& sentence) {
    std::fprintf(stderr, "switchyard-cli: %s\n", sentence.c_str());
    return 1;
  };
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (program.exit(error) != 0) return 2;
  } catch (const std::system_error& error) {
    return refused(moe::sentenceOf(error));
  } catch (const std::bad_alloc& error) {
    return refused(moe::sentenceOf(error));
  } catch (const std::exception& error) { return refused(moe::shownName(error.what())); }
  return outputWritten() ? 0 : 1;
}
