#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/backend/backend_options.h"
#include "core/base/progress.h"
#include "core/data/corpus.h"
#include "core/data/text_files.h"
#include "core/formats/checkpoint.h"
#include "core/store/run_store.h"
#include "core/train/run_config.h"

namespace moe {

/// A configuration that may start, and its data.
struct PreparedRun {
  RunConfig config;  // threads counted out, number type chosen, vocabulary the tokenizer's, a path made absolute
  std::shared_ptr<const Corpus> corpus;
  std::shared_ptr<const Checkpoint> dense;  // whose networks its experts are made of; null: weights from the seed alone
  TextSize text;                            // of what `corpus` was made of
};

/// What a run starts under besides its configuration.
struct Surroundings {
  bool fluid = false;                    // threads 0 leaves one core free
  std::int64_t memoryReturned = 0;       // bytes the present runs give back before this one begins
  bool acceptOtherText = false;          // a checkpoint goes on though its text is not the one it was trained on
  const PreparedRun* similar = nullptr;  // its corpus is taken where the data settings and the tokenizer are equal
  Progress progress = {};                // told of loading the text
};

/// Checks and loads, before anything of the model is allocated. Throws Error("config") with the first problem,
/// Error("memory") where the predicted memory exceeds what the machine has free, Error("data"), and Error("checkpoint")
/// where the dense model of start_from cannot be read.
PreparedRun prepareRun(RunConfig config, const Surroundings& surroundings);
/// The same for a checkpoint, whose tokenizer is given; its weights are its own, whatever it started from. Throws
/// Error("data") where the text is not the one it was trained on, by its checksum.
PreparedRun prepareRun(const Checkpoint& checkpoint, const Surroundings& surroundings);

/// To go on from; where there is no memory for its run, that is said before the gigabytes of its tensors are checked. Throws
/// Error("checkpoint"), Error("memory").
Checkpoint openToResume(const std::filesystem::path& path, const Surroundings& surroundings);

/// Bytes that a run which trains gives back when it ends.
std::int64_t memoryHeld(const RunConfig& config);

/// Cores that train: all of this machine (fast), or all but one (fluid).
int threadsAt(bool fluid);

BackendOptions backendOptions(const RunConfig& config);

/// " 3 entries of the text's folder are no regular files, and were skipped."; empty where there were none.
std::string skippedText(const Corpus& corpus);

/// The sentence of the event that begins a run.
std::string beginningOf(const PreparedRun& run);

/// What the list of runs says of a run that begins.
RunSummary summaryOf(const PreparedRun& run);

/// Bytes that may still be allocated; 0 where the system does not say.
std::int64_t freeMemory();
/// "3.4 GB"
std::string gigabytes(std::int64_t bytes);

}  // namespace moe
