#pragma once
#include <cstdint>

namespace moe {

// What a checkpoint's folder holds.
constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kConfigFile = "config.json";
constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kStateFile = "state.json";  // version, step, run and every other file's checksum
constexpr const char* kCheckedFiles[] = {kModelFile, kOptimizerFile, kConfigFile, kTokenizerFile};

constexpr const char* kLatestFile = "latest";     // beside the folders: the newest one's name
constexpr const char* kStepPrefix = "step-";

constexpr std::int64_t kCheckpointVersion = 1;

}  // namespace moe
