// What grows, far beyond the demonstration's size: time and peak memory of whole commands, beside the peak predicted.
//   benchmark_scale [text|words|experts|window|steps|files|checkpoints|exports]...   all of them; some minutes, 3 GB of disk
// What it writes goes to a folder of its own under the system's temporary one, and is removed.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>

#include "core/data/text_files.h"
#include "core/formats/checkpoint.h"
#include "core/store/run_store.h"
#include "core/train/run_config.h"
#include "tests/support/measured_process.h"

using namespace moe;
namespace fs = std::filesystem;

namespace {

const std::string kProgram = SWITCHYARD_BINARY_DIR "/app/switchyard-cli";
constexpr double kMiB = 1 << 20;
using Arguments = std::vector<std::string>;

fs::path folder() {
  static const fs::path path = fs::temp_directory_path() / "switchyard-benchmark-scale";
  return path;
}

/// Words as seldom as those of a language: the n-th a tenth as often as one ten times as common.
std::string spacedText(std::size_t bytes) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, std::log(2e5));
  std::string text;
  for (int words = 0; text.size() < bytes; ++words) {
    for (auto rank = static_cast<std::uint64_t>(std::exp(uniform(random))); rank > 0; rank /= 20)
      text += static_cast<char>('a' + rank % 20);
    text += words % 12 == 11 ? ".\n" : " ";
  }
  return text;
}

/// Chinese characters, as seldom as those of a text, a comma now and then.
std::string unspacedText(std::size_t bytes) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform(0, std::log(6000));
  std::string text;
  for (int characters = 0; text.size() < bytes; ++characters) {
    const auto code = 0x4E00 + static_cast<unsigned>(std::exp(uniform(random)));
    text += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3F)),
             static_cast<char>(0x80 | (code & 0x3F))};
    if (characters % 20 == 19) text += "\xef\xbc\x8c";
  }
  return text;
}

void write(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

void row(const std::string& what, const test::Taken& taken, double predicted = 0, const std::string& note = "") {
  std::printf("%-58s %7.1f s %8.0f MiB", what.c_str(), taken.seconds, taken.peak / kMiB);
  if (predicted > 0)
    std::printf("  predicted %8.0f MiB, %+.0f %%", predicted / kMiB, 100 * (predicted / taken.peak - 1));
  std::printf("%s%s%s\n", note.empty() ? "" : "  ", note.c_str(), taken.succeeded ? "" : "  FAILED");
  std::fflush(stdout);
}

test::Taken run(const Arguments& arguments) {
  Arguments all{"switchyard-cli"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return test::measured(kProgram, all);
}

using Settings = std::vector<std::pair<std::string, std::string>>;

/// A training of a preset with these settings, in a store of its own.
void training(const std::string& what, const Settings& settings, const fs::path& out = {},
              const std::string& preset = firstPreset().id) {
  fs::remove_all(folder() / "store");
  RunConfig config = runConfigOfPreset(preset);
  Arguments arguments{"train", "--preset", preset, "--json", "--store", (folder() / "store/runs.db").string()};
  if (!out.empty()) arguments.insert(arguments.end(), {"--out", out.string()});
  for (const auto& [path, value] : settings) {
    setByPath(config, path, value);
    arguments.insert(arguments.end(), {"--set", path + "=" + value});
  }
  const test::Taken taken = run(arguments);
  std::uintmax_t stored = 0;
  for (const auto& file : fs::directory_iterator(folder() / "store"))
    if (file.is_regular_file()) stored += file.file_size();
  row(what, taken, static_cast<double>(predictedMemory(config, textSize(config.data))),
      "store " + std::to_string(stored / 1'000'000) + "." + std::to_string(stored / 100'000 % 10) + " MB");
}

void text() {
  for (const int megabytes : {30, 100, 300}) {
    const fs::path file = folder() / "text.txt";
    write(file, spacedText(static_cast<std::size_t>(megabytes) * 1'000'000));
    for (const char* tokenizer : {"bytes", "characters", "bpe"})
      training(std::to_string(megabytes) + " MB of text, " + tokenizer, {{"data.source", file.string()},
                                                                         {"data.tokenizer", tokenizer},
                                                                         {"data.vocabulary", "4096"},
                                                                         {"train.steps", "1"}});
  }
}

void words() {
  for (const int megabytes : {1, 10, 30}) {
    const fs::path file = folder() / "text.txt";
    write(file, unspacedText(static_cast<std::size_t>(megabytes) * 1'000'000));
    training(
        std::to_string(megabytes) + " MB of Chinese, bpe",
        {{"data.source", file.string()}, {"data.tokenizer", "bpe"}, {"data.vocabulary", "4096"}, {"train.steps", "1"}});
  }
}

const Settings kSmall{{"model.width", "64"},   {"model.layers", "2"},      {"model.heads", "2"},
                      {"model.kv_heads", "2"}, {"model.head_width", "32"}, {"experts.hidden", "16"}};

Settings with(Settings more) {
  Settings all = kSmall;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Some presets have a shape that these settings break.
bool fits(const Settings& settings, const std::string& preset) {
  try {
    RunConfig config = runConfigOfPreset(preset);
    for (const auto& [path, value] : settings) setByPath(config, path, value);
    return problems(config).empty();
  } catch (const std::exception&) { return false; }
}

void experts() {
  for (const int count : {512, 2048, 8192})
    training(std::to_string(count) + " experts in each of 2 layers, 3 steps",
             with({{"experts.count", std::to_string(count)}, {"train.steps", "3"}}));
  for (const Preset& preset : presets()) {
    const Settings settings = with({{"experts.count", "512"}, {"train.steps", "3"}});
    if (fits(settings, preset.id)) training("512 experts, routed as by " + preset.id, settings, {}, preset.id);
  }
}

void window() {
  training("alerts over 2,500 steps of 2 layers of 512 experts", with({{"experts.count", "512"},
                                                                       {"alerts.window", "2500"},
                                                                       {"train.steps", "2600"},
                                                                       {"model.context", "32"},
                                                                       {"train.batch", "4"},
                                                                       {"train.validate_every", "0"}}));
}

void steps() {
  for (const int count : {200, 2'000, 20'000})
    training(std::to_string(count) + " steps", with({{"experts.count", "8"},
                                                     {"train.steps", std::to_string(count)},
                                                     {"model.context", "32"},
                                                     {"train.batch", "4"},
                                                     {"train.validate_every", "1000"}}));
}

void files() {
  const std::string some = spacedText(1000);
  for (const int count : {200, 2'000, 20'000}) {
    fs::remove_all(folder() / "files");
    for (int i = 0; i < count; ++i) write(folder() / "files" / ("text" + std::to_string(i)), some);
    training(std::to_string(count) + " files of a kilobyte, each a domain",
             {{"data.source", (folder() / "files").string()}, {"train.steps", "1"}});
  }
  fs::remove_all(folder() / "files");
}

void checkpoints() {
  const fs::path out = folder() / "run";
  fs::remove_all(out);
  const Settings large{{"model.width", "512"},
                       {"experts.hidden", "1024"},
                       {"model.context", "64"},
                       {"train.batch", "4"},
                       {"train.validate_every", "0"}};
  Settings settings = large;
  settings.insert(settings.end(), {{"train.steps", "6"}, {"train.checkpoint_every", "1"}});
  training("a checkpoint at each of 6 steps", settings, out);
  const Checkpoint about = openToResume(out);
  const double predicted = static_cast<double>(predictedMemory(about.config, textSize(about.config.data)));
  row("  resumed, 2 steps more",
      run({"train", "--resume", out.string(), "--steps", "8", "--json", "--store",
           (folder() / "store/runs.db").string()}),
      predicted);
  const double weights = static_cast<double>(fs::file_size(checkpointAt(out) / "model.safetensors"));
  const auto beside = [&](const std::string& what, const Arguments& arguments) {
    const test::Taken taken = run(arguments);
    char note[64];
    std::snprintf(note, sizeof note, "%.2f of the %.0f MiB of weights", taken.peak / weights, weights / kMiB);
    row("  " + what, taken, 0, note);
  };
  beside("inspected", {"inspect", "--checkpoint", out.string(), "--text", "the yard is full of trains", "--json"});
  beside("evaluated", {"evaluate", "--checkpoint", out.string(), "--tokens", "2000", "--json"});
  beside("generated from", {"generate", "--checkpoint", out.string(), "--prompt", "the yard", "--tokens", "20"});
}

void exports() {
  constexpr int kLayers = 8, kExperts = 64;
  for (const int count : {1'000, 10'000, 50'000}) {
    fs::remove_all(folder() / "store");
    {
      const auto store = RunStore::open(folder() / "store/runs.db", RunStore::Access::write);
      const RunId run = store->createRun({.name = "long", .config = "{}"});
      std::vector<StepPoint> points;
      for (int step = 1; step <= count; ++step) {
        StepPoint& point = points.emplace_back();
        point.step = step;
        point.loss = 2 + std::sin(0.001 * step);
        for (int layer = 0; layer < kLayers; ++layer) {
          LayerPoint& at = point.layers.emplace_back();
          at.layer = layer;
          at.assignments = 4096;
          at.load.assign(kExperts, 1.0f / kExperts);
        }
        if (points.size() < 1000 && step < count) continue;
        store->append(run, points);
        points.clear();
      }
    }
    for (const char* format : {"jsonl", "csv"})
      row(std::to_string(count) + " steps exported as " + format,
          run({"runs", "export", "1", "--format", format, "--store", (folder() / "store/runs.db").string(), "--out",
               (folder() / "export").string()}));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::set<std::string> wanted(argv + 1, argv + argc);
  fs::remove_all(folder());
  fs::create_directories(folder());
  const std::pair<const char*, std::function<void()>> tables[] = {
      {"text", text},   {"words", words}, {"experts", experts},         {"window", window},
      {"steps", steps}, {"files", files}, {"checkpoints", checkpoints}, {"exports", exports}};
  for (const auto& [name, table] : tables)
    if (wanted.empty() || wanted.contains(name)) table();
  fs::remove_all(folder());
  return 0;
}
