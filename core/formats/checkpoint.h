#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/data/tokenizer.h"
#include "core/formats/safetensors.h"
#include "core/telemetry/load_window.h"
#include "core/telemetry/points.h"
#include "core/train/run_config.h"
#include "core/train/training_state.h"

namespace moe {

/// A checkpoint is a folder: model.safetensors, optimizer.safetensors, loads.safetensors, config.json, state.json,
/// tokenizer.json.
struct Checkpoint {
  RunConfig config;
  TrainingState state;
  std::shared_ptr<const StateSource> stored = {};  // where the tensors of `state` are read from; null: they are in it
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string textChecksum;  // Corpus::checksum() as text of what it was trained on; in state.json; empty in older ones
  RunId run = 0;             // as it was in the store that wrote it
  WatchState watch;          // so that a resumed run raises the same alerts; in state.json and loads.safetensors
};

/// Writes the folder `path` whole or not at all (temporary beside it, read back but for the numbers, flushed, renamed,
/// parent flushed). Replaces an existing folder of that name. Where the folder is called "step-N", the file "latest"
/// beside it then names it. Returns the bytes written. Throws Error("checkpoint").
std::int64_t saveCheckpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// A checkpoint opened to be looked at: all of it but its tensors, and the model's to be read one by one.
struct CheckpointFile {
  std::filesystem::path folder;
  Checkpoint about;                        // without tensors
  std::vector<std::string> selectionBias;  // which of the tensors are biases, not parameters
  SafetensorsFile weights;
};

/// As loadCheckpoint, but the optimizer's state is neither read nor checked.
CheckpointFile openCheckpoint(const std::filesystem::path& path);

/// With the model's tensors, and without the optimizer's.
Checkpoint loadWeights(const std::filesystem::path& path);

/// Its configuration alone, unchecked against the checksum.
RunConfig configOfCheckpoint(const std::filesystem::path& path);

/// To go on from: all of it is checked, and its tensors are read when a trainer takes them.
Checkpoint openToResume(const std::filesystem::path& path);

/// Reads it back. `path` may be the folder itself or one that holds step-N folders (then `latest` is taken). Every count
/// and length is checked against the file before anything is allocated.
Checkpoint loadCheckpoint(const std::filesystem::path& path);

/// The checkpoint's own folder for a path as loadCheckpoint takes it. Throws Error("checkpoint") where there is none.
std::filesystem::path checkpointAt(const std::filesystem::path& path);

}  // namespace moe
