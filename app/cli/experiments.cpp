#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/json_lines.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/base/machine.h"
#include "core/experiments/report.h"
#include "core/experiments/runner.h"
#include "core/store/run_store.h"

namespace moe::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLongestFile = 1 << 20;
constexpr int kDeepest = 32;

struct ExperimentsOptions {
  std::vector<std::string> names;
  std::string out, report, texts;
  std::vector<std::uint64_t> seeds;
  int jobs = 2;
  bool list = false, json = false;
};

Experiment readExperiment(const std::string& path) {
  std::string problem;
  const nlohmann::json file = parseStrictJson(readFile("experiment", path, kLongestFile), kDeepest, problem);
  if (!problem.empty()) throw Error("experiment", path + ": " + problem);
  return experimentFromJson(file, fs::path(path).stem().string());
}

/// Those named, or all that are shipped; a name that ends in .json is a file.
std::vector<Experiment> chosen(const std::vector<std::string>& names) {
  const std::vector<Experiment> shipped = shippedExperiments();
  if (names.empty()) return shipped;
  std::vector<Experiment> list;
  for (const std::string& name : names) {
    if (name.ends_with(".json")) {
      list.push_back(readExperiment(name));
      continue;
    }
    const auto found = std::ranges::find(shipped, name, &Experiment::id);
    if (found == shipped.end()) {
      std::string known;
      for (const Experiment& experiment : shipped) known += (known.empty() ? "" : ", ") + experiment.id;
      throw CLI::ValidationError("NAME",
                                 name + ": expected one of " + known + ", or a file of your own that ends in .json");
    }
    list.push_back(*found);
  }
  return list;
}

void print(const Outcome& outcome, bool asJson) {
  const Experiment& experiment = outcome.experiment;
  if (!asJson) std::printf("\n%s: %s\n", experiment.id.c_str(), experiment.title.c_str());
  if (!outcome.lacks.empty()) {
    if (asJson)
      printLine({{"experiment", experiment.id}, {"lacks", outcome.lacks}});
    else
      std::printf("  not tried: it needs %s\n", outcome.lacks.c_str());
    return;
  }
  for (const Arm& arm : experiment.arms)
    for (const std::string& measure : experiment.measures) {
      const std::vector<double> values = outcome.values(arm.name, measure);
      if (asJson)
        printLine({{"experiment", experiment.id},
                   {"arm", arm.name},
                   {"measure", measure},
                   {"seeds", outcome.seeds},
                   {"values", values}});
      else if (!values.empty())
        std::printf("  %-24s %-26s %s\n", arm.name.c_str(), measure.c_str(),
                    textOfValues(values, measureNamed(measure).measure->digits).c_str());
    }
  for (const Band& band : experiment.bands) {
    const Verdict verdict = judge(outcome, band);
    if (asJson)
      printLine({{"experiment", experiment.id},
                 {"band", band.says},
                 {"expected", expectationOf(band)},
                 {"values", verdict.values},
                 {"holds", verdict.holds}});
    else
      std::printf("  %-15s %s (%s): %s\n", verdict.holds ? "holds" : "DOES NOT APPEAR", band.says.c_str(),
                  expectationOf(band).c_str(), measuredText(verdict, band).c_str());
  }
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm date{};
  gmtime_r(&now, &date);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &date);
  return text;
}

/// As one types it anew: what only says where results lie is left out.
std::string commandOf(const ExperimentsOptions& options) {
  std::string text = "switchyard-cli experiments";
  for (const std::string& name : options.names) text += " " + name;
  if (!options.seeds.empty()) {
    text += " --seeds ";
    for (const std::uint64_t seed : options.seeds)
      text += std::to_string(seed) + (seed == options.seeds.back() ? "" : ",");
  }
  if (!options.texts.empty()) text += " --texts FOLDER";
  return text + (options.report.empty() ? "" : " --report " + options.report);
}

void experiments(const ExperimentsOptions& options) {
  const std::vector<Experiment> experiments = chosen(options.names);
  if (options.list) {
    for (const Experiment& experiment : experiments)
      if (options.json)
        printLine({{"id", experiment.id},
                   {"title", experiment.title},
                   {"question", experiment.question},
                   {"claim", experiment.claim},
                   {"source", experiment.source}});
      else
        std::printf("%-16s %s\n", experiment.id.c_str(), experiment.title.c_str());
    return;
  }
  RunnerSettings settings;
  settings.folder = options.out.empty() ? defaultStorePath().parent_path() / "experiments" : fs::path(options.out);
  settings.jobs = options.jobs;
  settings.seeds = options.seeds;
  settings.texts = options.texts;
  settings.progress = [](const std::string& sentence) { std::fprintf(stderr, "%s\n", sentence.c_str()); };
  const std::vector<Outcome> outcomes = runExperiments(experiments, settings);
  for (const Outcome& outcome : outcomes) print(outcome, options.json);
  const ReportOrigin origin{commandOf(options), machineName(), today()};
  const fs::path report = options.report.empty() ? settings.folder / "README.md" : fs::path(options.report);
  writeFileAtomically("experiment", report, reportOf(outcomes, origin));
  std::fprintf(stderr, "The table is in %s\n", report.c_str());
}

}  // namespace

void addExperiments(CLI::App& program) {
  auto options = std::make_shared<ExperimentsOptions>();
  CLI::App* command = program.add_subcommand(
      "experiments", "Tries published claims: trains every arm and seed, judges, writes the table");
  command->add_option("NAME", options->names, "Experiments, or files of your own (default: all that are shipped)");
  command->add_option("--out", options->out,
                      "Folder of the results; what is there is not trained again (default: beside the store)");
  command->add_option("--report", options->report, "Where the table goes (default: README.md in that folder)");
  command->add_option(
      "--texts", options->texts,
      "Folder of texts that are not shipped (tinyshakespeare.txt); what needs one is left out without it");
  command->add_option("--seeds", options->seeds, "Other seeds than the files', such as 4,5,6")->delimiter(',');
  command->add_option("--jobs", options->jobs, "Arms at a time, one thread each")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_flag("--list", options->list, "Only says what there is");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([options] { experiments(*options); });
}

}  // namespace moe::cli
