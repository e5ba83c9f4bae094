#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/atomic_file.h"
#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/base/json_object.h"
#include "core/base/json_text.h"
#include "core/formats/checkpoint.h"
#include "core/formats/checkpoint_files.h"
#include "core/formats/safetensors.h"
#include "core/formats/watch_file.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

constexpr const char* kRemedy = "; choose another checkpoint, or copy this one again";
constexpr std::int64_t kLongestJson = 64 << 20;
constexpr int kDeepest = 64;

[[noreturn]] void refuse(const fs::path& subject, const std::string& sentence) {
  throw Error(kCheckpointTag, subject.string() + ": " + sentence + kRemedy);
}

nlohmann::json readJson(const fs::path& path) {
  std::string problem;
  nlohmann::json json = parseStrictJson(readFile(kCheckpointTag, path, kLongestJson), kDeepest, problem);
  if (!problem.empty()) refuse(path, problem);
  return json;
}

/// Calls with the folder named in errors that know only their field.
template <class Call>
auto within(const fs::path& path, Call call) {
  try {
    return call();
  } catch (const Error& error) {
    if (error.tag() == kCheckpointTag) throw;
    throw Error(kCheckpointTag, path.string() + ": " + error.what());
  }
}

std::optional<std::int64_t> stepOf(const std::string& name) {
  if (!name.starts_with(kStepPrefix)) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stopped, code] = std::from_chars(name.data() + std::string_view(kStepPrefix).size(), end, step);
  if (code != std::errc() || stopped != end) return std::nullopt;
  return step;
}

struct State {
  std::int64_t step = 0, run = 0;
  std::string textChecksum;
  std::vector<std::string> selectionBias;
  WatchState watch;
};

enum class Checked { none, allButOptimizer, all };

/// Reads state.json and holds the other files against the checksums in it.
State readState(const fs::path& folder, Checked checked) {
  const fs::path path = folder / kStateFile;
  nlohmann::json json = readJson(path);
  State state;
  std::int64_t version = 0;
  std::string said;
  JsonObject object(json, kCheckpointTag, path.string());
  object.read("version", version);
  if (version != kCheckpointVersion)
    refuse(path, "expected version " + std::to_string(kCheckpointVersion) + ", found " + std::to_string(version));
  object.read("checksum", said);
  object.read("step", state.step);
  object.read("run", state.run);
  object.read("text_checksum", state.textChecksum);
  const nlohmann::json* bias = object.take("selection_bias");
  const nlohmann::json* files = object.take("files");
  if (const nlohmann::json* watch = object.take("watch"))
    state.watch = watchFromJson(*watch, kCheckpointTag, path.string() + ".watch");
  object.finish();
  const bool older =
      files != nullptr && files->is_object() && !files->contains(kLoadsFile);  // the loads stand in "watch"
  if (state.step < 0) refuse(path, "expected a step of at least 0, found " + std::to_string(state.step));
  if (bias != nullptr && bias->is_array())
    for (const nlohmann::json& name : *bias) {
      if (!name.is_string()) refuse(path, "selection_bias: expected names, found " + briefly(name));
      state.selectionBias.push_back(name);
    }
  for (const std::string name : kCheckedFiles) {
    if (checked == Checked::none || (checked == Checked::allButOptimizer && name == kOptimizerFile) ||
        (older && name == kLoadsFile))
      continue;
    const fs::path file = folder / name;
    const std::string key = path.string() + ".files." + name;
    if (files == nullptr || !files->is_object() || !files->contains(name))
      refuse(path, "files: expected an entry for " + name + ", found none");
    std::int64_t bytes = 0;
    std::string sum;
    JsonObject entry((*files)[name], kCheckpointTag, key);
    entry.read("bytes", bytes);
    entry.read("checksum", sum);
    entry.finish();
    if (!fs::is_regular_file(file)) refuse(file, "expected this file, found none");
    if (const auto found = static_cast<std::int64_t>(fs::file_size(file)); found != bytes)
      refuse(file, "expected the " + std::to_string(bytes) + " bytes that were saved, found " + std::to_string(found));
    if (const std::string found = checksumText(checksumOfFile(kCheckpointTag, file)); found != sum)
      refuse(file, "expected checksum " + sum + ", found " + found + ": it was altered after it was saved");
  }
  if (!older) state.watch.loads = readLoads(kCheckpointTag, folder / kLoadsFile);
  json.erase("checksum");
  if (const std::string found = checksumText(checksum(json.dump())); found != said)
    refuse(path, "expected checksum " + said + ", found " + found + ": it was altered after it was saved");
  return state;
}

/// f32, or f64 where the run computed in it.
void checkTypes(const fs::path& path, const SafetensorsFile& file) {
  for (const SafetensorsFile::Entry& entry : file.entries())
    if (entry.dtype != DType::f32 && entry.dtype != DType::f64)
      refuse(path, entry.name + ": expected f32 or f64, found " + std::string(nameOf(entry.dtype)));
}

CheckpointFile open(const fs::path& folder, Checked checked) {
  State state = readState(folder, checked);
  CheckpointFile file{folder, {}, std::move(state.selectionBias), SafetensorsFile(folder / kModelFile)};
  checkTypes(folder / kModelFile, file.weights);
  file.about.watch = std::move(state.watch);
  file.about.run = state.run;
  file.about.textChecksum = std::move(state.textChecksum);
  file.about.state.step = state.step;
  file.about.config = runConfigFromJson(readJson(folder / kConfigFile));
  file.about.tokenizer = tokenizerFromJson(readJson(folder / kTokenizerFile));
  return file;
}

/// The files of a checkpoint that was checked when it was opened; without the optimizer's there are no moments. They are
/// held open, so that they are there even when retention has let their folder go.
class StoredState : public StateSource {
 public:
  StoredState(std::int64_t step, SafetensorsFile model, const std::vector<std::string>& biases,
              std::optional<SafetensorsFile> optimizer)
      : step_(step), model_(std::move(model)), optimizer_(std::move(optimizer)) {
    for (const SafetensorsFile::Entry& entry : model_.entries())
      places(std::ranges::find(biases, entry.name) == biases.end() ? Part::parameters : Part::selectionBias)
          .push_back(&entry);
    if (!optimizer_) return;
    for (const SafetensorsFile::Entry& entry : optimizer_->entries()) {
      if (!entry.name.starts_with("m.") && !entry.name.starts_with("v."))
        refuse(optimizer_->path(), entry.name + ": expected a name that begins with m. or v., found another");
      places(entry.name[0] == 'm' ? Part::firstMoments : Part::secondMoments).push_back(&entry);
    }
  }
  std::int64_t step() const override { return step_; }
  std::vector<Entry> entries(Part part) const override {
    std::vector<Entry> all;
    for (const SafetensorsFile::Entry* entry : places(part))
      all.push_back({nameOf(part, *entry), entry->shape, entry->dtype});
    return all;
  }
  void read(Part part, std::size_t place, const std::function<void(const TensorView&)>& take) const override {
    take(tensor(part, place).view());
  }
  Tensor tensor(Part part, std::size_t place) const {
    const SafetensorsFile& file = ofOptimizer(part) ? *optimizer_ : model_;
    return within(file.path(), [&] { return file.read(*places(part)[place]); });
  }
  /// All of them.
  void readInto(TrainingState& state) const {
    const auto list = [&](Part part, std::vector<TrainingState::Named>& to) {
      for (std::size_t i = 0; i < places(part).size(); ++i)
        to.push_back({nameOf(part, *places(part)[i]), tensor(part, i)});
    };
    list(Part::parameters, state.parameters);
    list(Part::selectionBias, state.selectionBias);
    list(Part::firstMoments, state.optimizerM);
    list(Part::secondMoments, state.optimizerV);
  }

 private:
  using Places = std::vector<const SafetensorsFile::Entry*>;
  static bool ofOptimizer(Part part) { return part == Part::firstMoments || part == Part::secondMoments; }
  static std::string nameOf(Part part, const SafetensorsFile::Entry& entry) {
    return ofOptimizer(part) ? entry.name.substr(2) : entry.name;
  }
  Places& places(Part part) { return places_[static_cast<std::size_t>(part)]; }
  const Places& places(Part part) const { return places_[static_cast<std::size_t>(part)]; }

  const std::int64_t step_;
  const SafetensorsFile model_;
  const std::optional<SafetensorsFile> optimizer_;
  std::array<Places, 4> places_;  // by Part
};

}  // namespace

fs::path checkpointAt(const fs::path& path) {
  std::error_code code;
  if (fs::exists(path / kStateFile, code)) return path;
  if (!fs::is_directory(path, code))
    throw Error(kCheckpointTag, path.string() + ": expected a checkpoint's folder, found " +
                                    (fs::exists(path, code) ? "a file" : "nothing there") +
                                    "; name a step-N folder or the one that holds them");
  if (fs::exists(path / kLatestFile, code)) {
    std::string name = readFile(kCheckpointTag, path / kLatestFile, 4096);
    while (!name.empty() && name.back() == '\n') name.pop_back();
    if (stepOf(name) && fs::exists(path / name / kStateFile, code)) return path / name;
  }
  std::int64_t newest = -1;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code)) {
    const auto step = stepOf(entry->path().filename().string());
    if (step && fs::exists(entry->path() / kStateFile)) newest = std::max(newest, *step);
  }
  if (newest < 0)
    throw Error(kCheckpointTag, path.string() +
                                    ": expected a checkpoint (state.json) or step-N folders, found neither; name a "
                                    "folder that training has written");
  return path / (kStepPrefix + std::to_string(newest));
}

void requireReadable(const fs::path& folder) {
  within(folder, [&] {
    open(folder, Checked::none);
    checkTypes(folder / kOptimizerFile, SafetensorsFile(folder / kOptimizerFile));
  });
}

CheckpointFile openCheckpoint(const fs::path& path) {
  const fs::path folder = checkpointAt(path);
  return within(folder, [&] { return open(folder, Checked::allButOptimizer); });
}

Checkpoint loadWeights(const fs::path& path) {
  const fs::path folder = checkpointAt(path);
  return within(folder, [&] {
    CheckpointFile file = open(folder, Checked::allButOptimizer);
    StoredState(file.about.state.step, std::move(file.weights), file.selectionBias, std::nullopt)
        .readInto(file.about.state);
    return std::move(file.about);
  });
}

RunConfig configOfCheckpoint(const fs::path& path) {
  const fs::path folder = checkpointAt(path);
  return within(folder, [&] { return runConfigFromJson(readJson(folder / kConfigFile)); });
}

Checkpoint openToResume(const fs::path& path) {
  const fs::path folder = checkpointAt(path);
  return within(folder, [&] {
    CheckpointFile file = open(folder, Checked::all);
    SafetensorsFile optimizer(folder / kOptimizerFile);
    checkTypes(folder / kOptimizerFile, optimizer);
    file.about.stored = std::make_shared<StoredState>(file.about.state.step, std::move(file.weights),
                                                      file.selectionBias, std::move(optimizer));
    return std::move(file.about);
  });
}

Checkpoint loadCheckpoint(const fs::path& path) {
  Checkpoint checkpoint = openToResume(path);
  static_cast<const StoredState&>(*checkpoint.stored).readInto(checkpoint.state);
  checkpoint.stored.reset();
  return checkpoint;
}

}  // namespace moe
