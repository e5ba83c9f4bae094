#pragma once
#include <cstdint>
#include <filesystem>

namespace moe {

constexpr const char* kCheckpointTag = "checkpoint";  // of errors

// What a checkpoint's folder holds.
constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kConfigFile = "config.json";
constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kStateFile = "state.json";         // version, step, run and every other file's checksum
constexpr const char* kLoadsFile = "loads.safetensors";  // of the alerts' window; older checkpoints have none
constexpr const char* kCheckedFiles[] = {kModelFile, kOptimizerFile, kConfigFile, kTokenizerFile, kLoadsFile};

constexpr const char* kLatestFile = "latest";  // beside the folders: the newest one's name
constexpr const char* kStepPrefix = "step-";

constexpr std::int64_t kCheckpointVersion = 1;

/// Throws Error("checkpoint") where a folder that was just written could not be loaded; all is read but the numbers and
/// their checksums, which were taken of the files as they lie.
void requireReadable(const std::filesystem::path& folder);

}  // namespace moe
