#include <cstdint>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/commands.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/formats/exports.h"
#include "core/store/run_store.h"
#include "core/telemetry/figure_text.h"

namespace moe::cli {
namespace {

struct Settings {
  std::string store = defaultStorePath().string();
  std::string format = "csv";
  std::string out;
  std::int64_t run = 0;
  bool json = false;
};

void require(bool written) {
  if (!written)
    throw Error("runs",
                "standard output: expected to take the text, found it closed or the disk full; send it elsewhere");
}

void print(std::string_view text) { require(std::fwrite(text.data(), 1, text.size(), stdout) == text.size()); }
void flush() { require(std::fflush(stdout) == 0); }

std::string lossText(const std::optional<double>& loss) {
  if (!loss) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", *loss);
  return text;
}

void printLine(const RunSummary& run) {
  char text[160];
  std::snprintf(text, sizeof text, "%6lld  %-9s %9lld / %-9lld %9s %9s %7lld  %s  ", static_cast<long long>(run.id),
                std::string(nameOf(run.state)).c_str(), static_cast<long long>(run.steps),
                static_cast<long long>(run.targetSteps), lossText(run.trainLoss).c_str(),
                lossText(run.validationLoss).c_str(), static_cast<long long>(run.alerts), run.created.c_str());
  print(text + shownName(run.name) + (run.preset.empty() ? "" : " (" + run.preset + ")") + "\n");
}

void list(const Settings& settings, bool formatGiven) {
  const auto store = RunStore::open(settings.store, RunStore::Access::readOnly);
  if (settings.json) return exportRuns(*store, ExportFormat::jsonl, print);
  if (formatGiven) return exportRuns(*store, settings.format == "csv" ? ExportFormat::csv : ExportFormat::jsonl, print);
  print("   run  state         steps / target    train loss  val loss alerts  created               name\n");
  for (const RunSummary& run : store->runs()) printLine(run);
}

void show(const Settings& settings) {
  const auto store = RunStore::open(settings.store, RunStore::Access::readOnly);
  const RunSummary run = store->run(settings.run);
  if (settings.json) {
    nlohmann::ordered_json json = toJson(run);
    json["events"] = nlohmann::ordered_json::array();
    for (const RunEvent& event : store->events(run.id)) json["events"].push_back(toJson(event));
    json["checkpoints"] = nlohmann::ordered_json::array();
    for (const CheckpointRow& checkpoint : store->checkpoints(run.id))
      json["checkpoints"].push_back(toJson(checkpoint));
    return print(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  print("run " + std::to_string(run.id) + ": " + shownName(run.name) + "\n");
  if (!run.note.empty()) print(shownName(run.note) + "\n");
  print("preset " + (run.preset.empty() ? "none" : run.preset) + ", seed " + std::to_string(run.seed) + ", created " +
        run.created + ", " + std::string(nameOf(run.state)) + "\n");
  if (run.parent != 0)
    print("forked from run " + std::to_string(run.parent) + " at step " + std::to_string(run.parentStep) + "\n");
  print(
      "step " + std::to_string(run.steps) + " of " + std::to_string(run.targetSteps) + ", train loss " +
      lossText(run.trainLoss) + ", val loss " + lossText(run.validationLoss) + " nats per token" +
      (run.validationLoss && run.validatedTokens > 0 ? " " + overHeldOut(run.validatedTokens, run.heldOutTokens) : "") +
      "\n");
  print(std::to_string(run.totalParameters) + " parameters, " + std::to_string(run.activeParameters) +
        " active per token\n");
  for (const RunEvent& event : store->events(run.id)) {
    const nlohmann::ordered_json json = toJson(event);
    const std::string change =
        event.path.empty() ? "" : " " + event.path + " " + event.oldValue + " -> " + event.newValue;
    print("  step " + std::to_string(event.step) + "  " + json["kind"].get<std::string>() +
          shownName(change + (event.text.empty() ? "" : ": " + event.text)) + "\n");
  }
  for (const CheckpointRow& checkpoint : store->checkpoints(run.id))
    print("  checkpoint " + shownName(checkpoint.path) + " (step " + std::to_string(checkpoint.step) + ", " +
          std::to_string(checkpoint.bytes) + " bytes" + (checkpoint.healthy ? ", healthy" : "") +
          (checkpoint.pinned ? ", pinned" : "") + ")\n");
}

void exportOne(const Settings& settings) {
  const auto store = RunStore::open(settings.store, RunStore::Access::readOnly);
  const ExportFormat format = settings.json || settings.format == "jsonl" ? ExportFormat::jsonl : ExportFormat::csv;
  if (settings.out.empty() || settings.out == "-") return exportRun(*store, settings.run, format, print);
  AtomicFile file("export", settings.out);
  exportRun(*store, settings.run, format, [&](std::string_view text) { file.writer().write(text); });
  file.commit();
}

}  // namespace

void addRuns(CLI::App& program) {
  const auto settings = std::make_shared<Settings>();
  CLI::App* runs = program.add_subcommand("runs", "Lists, shows and exports the runs of a store.");
  runs->require_subcommand(1);
  const auto add = [&](const char* name, const char* about) {
    CLI::App* command = runs->add_subcommand(name, about);
    command->add_option("--store", settings->store, "The file that holds the runs")->capture_default_str();
    command->add_flag("--json", settings->json, "JSON objects, one a line");
    return command;
  };
  const auto addFormat = [&](CLI::App* command) {
    return command->add_option("--format", settings->format, "csv or jsonl")->check(CLI::IsMember({"csv", "jsonl"}));
  };
  CLI::App* all = add("list", "One line a run.");
  const CLI::Option* format = addFormat(all);
  all->callback([settings, format] { list(*settings, format->count() > 0), flush(); });
  CLI::App* one = add("show", "One run with its events and checkpoints.");
  one->add_option("run", settings->run, "The run's number, as list shows it")->required();
  one->callback([settings] { show(*settings), flush(); });
  CLI::App* exported = add("export", "Every point of one run, with its layers' metrics and loads.");
  exported->add_option("run", settings->run, "The run's number, as list shows it")->required();
  addFormat(exported);
  exported->add_option("--out", settings->out, "A file to write instead of standard output (-)");
  exported->callback([settings] { exportOne(*settings), flush(); });
}

}  // namespace moe::cli
