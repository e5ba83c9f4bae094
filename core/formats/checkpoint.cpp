#include "core/formats/checkpoint.h"

#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/checksum.h"
#include "core/formats/checkpoint_files.h"
#include "core/formats/safetensors.h"
#include "core/formats/watch_file.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

std::int64_t writeTensors(const fs::path& path, const std::vector<NamedView>& tensors) {
  FileWriter file(kCheckpointTag, path);
  writeSafetensors(file, tensors);
  file.close();
  return file.written();
}

std::int64_t writeJson(const fs::path& path, const nlohmann::json& json) {
  FileWriter file(kCheckpointTag, path);
  file.write(json.dump(1) + "\n");
  file.close();
  return file.written();
}

void addAll(std::vector<NamedView>& views, const std::vector<TrainingState::Named>& tensors,
            const std::string& prefix) {
  for (const TrainingState::Named& named : tensors) views.push_back({prefix + named.name, named.tensor});
}

}  // namespace

std::int64_t saveCheckpoint(const fs::path& path, const Checkpoint& checkpoint) {
  AtomicFolder folder(kCheckpointTag, path);
  const TrainingState& state = checkpoint.state;
  std::vector<NamedView> model, optimizer;
  addAll(model, state.parameters, "");
  addAll(model, state.selectionBias, "");
  addAll(optimizer, state.optimizerM, "m.");
  addAll(optimizer, state.optimizerV, "v.");
  std::int64_t bytes = writeTensors(folder.partial() / kModelFile, model);
  bytes += writeTensors(folder.partial() / kOptimizerFile, optimizer);
  bytes += writeJson(folder.partial() / kConfigFile, toJson(checkpoint.config));
  bytes += writeJson(folder.partial() / kTokenizerFile, checkpoint.tokenizer->toJson());
  bytes += writeLoads(kCheckpointTag, folder.partial() / kLoadsFile, checkpoint.watch.loads);

  nlohmann::json json = {{"version", kCheckpointVersion}, {"step", state.step}, {"run", checkpoint.run}};
  if (!checkpoint.textChecksum.empty()) json["text_checksum"] = checkpoint.textChecksum;
  json["watch"] = toJson(checkpoint.watch);
  json["selection_bias"] = nlohmann::json::array();
  for (const TrainingState::Named& named : state.selectionBias) json["selection_bias"].push_back(named.name);
  for (const char* file : kCheckedFiles)
    json["files"][file] = {{"bytes", fs::file_size(folder.partial() / file)},
                           {"checksum", checksumText(checksumOfFile(kCheckpointTag, folder.partial() / file))}};
  json["checksum"] = checksumText(checksum(json.dump()));  // of this object without itself
  bytes += writeJson(folder.partial() / kStateFile, json);
  requireReadable(folder.partial());
  folder.commit();
  if (const std::string name = path.filename().string(); name.starts_with(kStepPrefix))
    writeFileAtomically(kCheckpointTag, path.parent_path() / kLatestFile, name + "\n");
  return bytes;
}

}  // namespace moe
