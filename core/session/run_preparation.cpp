#include "core/session/run_preparation.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/base/machine.h"
#include "core/base/number_text.h"
#include "core/data/builtin_corpus.h"
#include "core/explain/run_facts.h"
#include "core/model/upcycle.h"
#include "core/train/compute_type.h"
#include "core/train/evaluation.h"
#include "core/train/memory.h"

namespace moe {

std::string gigabytes(std::int64_t bytes) { return fixedText(static_cast<double>(bytes) / 1e9, 1) + " GB"; }

namespace {

void requireMemory(const RunConfig& config, const TextSize& text, const Surroundings& surroundings) {
  const std::int64_t free = freeMemory(), room = free + surroundings.memoryReturned;
  if (free == 0) return;  // the system does not say
  if (const std::int64_t loading = predictedMemoryParts(config, text).loading; loading > room)
    throw Error("memory", "this text needs about " + gigabytes(loading) + " to be loaded, " + gigabytes(room) +
                              " are free; choose less text" + (text.words > 0 ? ", or another tokenizer" : ""));
  if (const std::int64_t needed = predictedMemory(config, text); needed > room)
    throw Error("memory", "this model needs about " + gigabytes(needed) + " to train, " + gigabytes(room) +
                              " are free; choose a smaller model, batch or context");
}

/// Before anything is read: the sizes are those that the file system tells.
void refuse(const RunConfig& config, const TextSize& text, const Surroundings& surroundings) {
  if (const std::vector<Problem> found = problems(config); !found.empty())
    throw Error("config", found.front().path + ": " + found.front().sentence);
  requireMemory(config, text, surroundings);
}

[[noreturn]] void refuse(const Problem& problem) { throw Error("config", problem.path + ": " + problem.sentence); }

/// The dense model that a new run starts from, without its optimizer.
std::shared_ptr<const Checkpoint> denseOf(RunConfig& config) {
  if (config.startFrom.checkpoint.empty()) return nullptr;
  const std::filesystem::path named = std::filesystem::absolute(config.startFrom.checkpoint);
  if (std::error_code code; !std::filesystem::exists(named, code))
    throw Error("checkpoint", "the dense model that this run grows out of is not there any more (" + named.string() +
                                  "); train one again, or name another checkpoint");
  const std::filesystem::path folder = checkpointAt(named);
  config.startFrom.checkpoint = folder.lexically_normal().string();
  auto dense = std::make_shared<Checkpoint>(loadWeights(folder));
  if (const auto found = problems(dense->config.model); !found.empty())
    throw Error("checkpoint", folder.string() + ": " + found.front().path + ": " + found.front().sentence);
  const DataConfig &here = config.data, &there = dense->config.data;
  const bool bpe = here.tokenizer == TokenizerKind::bpe;
  if (here.tokenizer != there.tokenizer || (bpe && here.vocabulary != there.vocabulary))
    refuse({"data.tokenizer", "The dense model reads its text by another tokenizer; choose the same."});
  return dense;
}

/// Where the tokenizer is given, nothing is learnt.
TextSize sizeOfText(const DataConfig& data, bool tokenizerGiven) {
  TextSize text = textSize(data);
  if (tokenizerGiven) text.words = 0;
  return text;
}

PreparedRun prepare(RunConfig config, std::shared_ptr<const Tokenizer> tokenizer, const Surroundings& surroundings) {
  if (config.threads == 0) config.threads = threadsAt(surroundings.fluid);
  config.computeType = chosenComputeType(config);
  if (!config.data.source.starts_with(kBuiltinText) && !config.data.source.empty())
    config.data.source = std::filesystem::absolute(config.data.source).lexically_normal().string();
  PreparedRun run;
  run.text = sizeOfText(config.data, tokenizer != nullptr);
  refuse(config, run.text, surroundings);
  const PreparedRun* similar = surroundings.similar;
  const bool same = similar && similar->config.data == config.data &&
                    (!tokenizer || tokenizer == similar->corpus->sharedTokenizer() ||
                     tokenizer->toJson() == similar->corpus->tokenizer().toJson());
  run.corpus = same        ? similar->corpus
               : tokenizer ? loadCorpus(config.data, tokenizer, surroundings.progress)
                           : loadCorpus(config.data, surroundings.progress);
  run.corpus->requireBatch(config.train.batch, config.model.context);
  run.corpus->requireHeldOut();
  config.model.vocabulary = run.corpus->tokenizer().vocabulary();
  refuse(config, {}, surroundings);  // the vocabulary is known only now
  run.config = std::move(config);
  return run;
}

}  // namespace

std::int64_t memoryHeld(const RunConfig& config) { return predictedMemory(config, {}) - kProgramMemory; }

int threadsAt(bool fluid) {
  return threadsGiven(std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - (fluid ? 1 : 0)));
}

PreparedRun prepareRun(RunConfig config, const Surroundings& surroundings) {
  std::shared_ptr<const Checkpoint> dense = denseOf(config);
  PreparedRun run = prepare(std::move(config), dense ? dense->tokenizer : nullptr, surroundings);
  if (dense)
    if (const auto found = upcyclingProblems(run.config.model, dense->config.model); !found.empty())
      refuse(found.front());
  run.dense = std::move(dense);
  return run;
}

Checkpoint openToResume(const std::filesystem::path& path, const Surroundings& surroundings) {
  const RunConfig config = configOfCheckpoint(path);
  requireMemory(config, sizeOfText(config.data, true), surroundings);
  return openToResume(path);
}

PreparedRun prepareRun(const Checkpoint& checkpoint, const Surroundings& surroundings) {
  const std::string& source = checkpoint.config.data.source;
  std::error_code code;
  if (!source.starts_with(kBuiltinText) && !std::filesystem::exists(source, code))
    throw Error("data",
                source + ": expected the text that run " + std::to_string(checkpoint.run) +
                    " was trained on, found nothing there; put it back, or name its new place (train --resume ... "
                    "--data PLACE)");
  PreparedRun run = prepare(checkpoint.config, checkpoint.tokenizer, surroundings);
  const std::string found = checksumText(run.corpus->checksum());
  if (!surroundings.acceptOtherText && !checkpoint.textChecksum.empty() && found != checkpoint.textChecksum)
    throw Error("data",
                run.config.data.source + ": expected the text that run " + std::to_string(checkpoint.run) +
                    " was trained on (checksum " + checkpoint.textChecksum + "), found another (" + found +
                    "); put that text back or name its new place (train --resume ... --data PLACE), or go on with "
                    "this one (--accept-other-text)");
  return run;
}

BackendOptions backendOptions(const RunConfig& config) {
  return {.name = config.backend, .threads = config.threads, .computeType = chosenComputeType(config)};
}

std::string skippedText(const Corpus& corpus) {
  const std::int64_t count = corpus.skipped();
  return count == 0 ? ""
         : count == 1
             ? " 1 entry of the text's folder is no regular file, and was skipped."
             : " " + std::to_string(count) + " entries of the text's folder are no regular files, and were skipped.";
}

std::string beginningOf(const PreparedRun& run) {
  const std::string seed = ", seed " + std::to_string(run.config.seed) + "." + skippedText(*run.corpus);
  if (!run.dense) return "Started from fresh weights" + seed;
  const Recipe::Experts* experts = nullptr;
  for (const LayerConfig& layer : run.config.model.layers)
    if (layer.hasExperts) experts = &layer.recipe.experts;
  return std::to_string(experts->count) + (experts->init == Recipe::Experts::Init::denseSlice ? " slices" : " copies") +
         " of each dense network of run " + std::to_string(run.dense->run) + " at step " +
         std::to_string(run.dense->state.step) + ", noise " + numberText(experts->initNoise) + seed;
}

RunSummary summaryOf(const PreparedRun& prepared) {
  const RunConfig& config = prepared.config;
  const ModelSize size = sizeOf(config);
  RunSummary run;
  run.name = config.label.empty() ? config.preset : config.label;
  run.preset = config.preset;
  run.config = toJson(config).dump();
  run.seed = config.seed;
  run.targetSteps = config.train.steps;
  run.totalParameters = size.totalParameters;
  run.activeParameters = size.activeParameters;
  run.validatedTokens = heldOutTargets(*prepared.corpus, config.model.context, kValidationTokens);
  run.heldOutTokens = prepared.corpus->heldOutTokens();
  run.textChecksum = checksumText(prepared.corpus->checksum());
  return run;
}

std::int64_t freeMemory() {
  std::ifstream file("/proc/meminfo");
  for (std::string name, unit; file >> name;) {
    std::int64_t kibibytes = 0;
    if (name == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
    std::getline(file, unit);
  }
  return 0;
}

}  // namespace moe
