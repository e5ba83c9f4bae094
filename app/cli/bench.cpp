#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/backend_option.h"
#include "app/cli/commands.h"
#include "core/backend/backend.h"
#include "core/backend/onednn/gemm_peak.h"
#include "core/backend/product_peak.h"
#include "core/backend/registry.h"
#include "core/session/run_preparation.h"
#include "core/train/bench_config.h"
#include "core/train/trainer.h"

namespace moe::cli {
namespace {

struct BenchOptions {
  std::string config = "tiny", dtype = "f32", backend = "onednn";
  bool dense = false, generate = false, profile = false, recompute = false, json = false;
  int threads = 0, steps = 20;
};

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

constexpr int kWarmUpSteps = 3;

/// Seconds of the median training step; profile: the split by operation of the timed steps.
double timeTraining(Backend& backend, const RunConfig& run, const BenchOptions& options,
                    std::vector<OperationTime>& profile) {
  Trainer trainer(backend, run, randomCorpus(run.model.vocabulary, 1 << 18, 1));
  for (int i = 0; i < kWarmUpSteps; ++i) trainer.step();
  backend.setProfiling(options.profile);
  std::vector<double> seconds;
  for (int i = 0; i < std::max(1, options.steps); ++i) {
    const auto start = Clock::now();
    if (trainer.inFlight() == 0) trainer.enqueue();
    if (trainer.worthRunningAhead() && i + 1 < std::max(1, options.steps)) trainer.enqueue();
    trainer.collect();
    seconds.push_back(secondsSince(start));
  }
  profile = backend.profile();
  return median(seconds);
}

/// Tokens a second of greedy generation from an empty context with a cache; the median of three texts.
double timeGeneration(Backend& backend, const RunConfig& run, const BenchOptions& options,
                      std::vector<OperationTime>& profile) {
  Model model(backend, run.model, DType::f32, false);
  model.initialise(run.seed);
  backend.setProfiling(options.profile);
  const int tokens = std::min(128, run.model.context);
  std::vector<double> speeds;
  for (int text = 0; text < 3; ++text) {
    const auto cache = model.makeCache();
    std::int32_t id = 0;
    const auto start = Clock::now();
    for (int position = 0; position < tokens; ++position) {
      const HostCopy copy = backend.read(model.next(*cache, id, position));
      const auto logits = copy.span<float>();
      id = static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    }
    speeds.push_back(tokens / secondsSince(start));
  }
  profile = backend.profile();
  return median(speeds);
}

/// The processor's is that of f32 products, whatever is computed in; a device's that of its own.
double peakOf(const std::string& name, Backend& backend) {
  return backendRow(name).processor ? measuredGemmPeak(backend.threads()) : measuredProductPeak(backend);
}

void printTable(const nlohmann::ordered_json& line, const std::vector<OperationTime>& profile, double perWhat) {
  for (const auto& [key, value] : line.items())
    if (key != "profile")
      std::printf("%-18s %s\n", key.c_str(),
                  value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
  double sum = 0;
  for (const OperationTime& time : profile) sum += time.seconds;
  for (const OperationTime& time : profile)
    std::printf("  %-20s %8.3f ms %5.1f %%  %lld calls\n", time.operation.c_str(), 1e3 * time.seconds / perWhat,
                100 * time.seconds / sum, static_cast<long long>(time.calls));
}

void bench(const BenchOptions& options) {
  RunConfig run = benchConfig(options.config, options.dense);
  run.threads = options.threads;
  run.train.recompute = options.recompute;
  run.backend = options.backend;
  setByPath(run, "dtype", options.dtype);
  const auto backend = makeBackend(backendOptions(run));
  const ModelSize size = sizeOf(run);
  nlohmann::ordered_json line{{"config", options.config},      {"backend", options.backend},
                              {"dense", options.dense},        {"dtype", nameOf(backend->computeType())},
                              {"threads", backend->threads()}, {"params", size.totalParameters}};
  std::vector<OperationTime> profile;
  double perWhat = std::max(1, options.steps);
  if (options.generate) {
    line["gen_tokens_per_s"] = timeGeneration(*backend, run, options, profile);
    perWhat = 3.0 * std::min(128, run.model.context);
  } else {
    const double seconds = timeTraining(*backend, run, options, profile);
    const double tokensPerSecond = static_cast<double>(run.train.batch * run.model.context) / seconds;
    const double flops = tokensPerSecond * size.flopsPerToken, peak = peakOf(options.backend, *backend);
    line["tokens_per_s"] = tokensPerSecond;
    line["ms_per_step"] = 1e3 * seconds;
    line["mflop_per_token"] = size.flopsPerToken / 1e6;
    line["gflops"] = flops / 1e9;
    line["gemm_peak_gflops"] = peak / 1e9;
    line["mfu"] = flops / peak;
  }
  if (options.recompute) line["recompute"] = true;
  if (options.profile)
    for (const OperationTime& time : profile) line["profile"][time.operation] = 1e3 * time.seconds / perWhat;
  if (options.json)
    std::printf("%s\n", line.dump().c_str());
  else
    printTable(line, profile, perWhat);
}

}  // namespace

void addBench(CLI::App& program) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* command =
      program.add_subcommand("bench", "Measures training or generation on fixed models and random tokens");
  std::vector<std::string> names;
  for (const BenchModel& model : benchModels()) names.push_back(model.name);
  command->add_option("--config", options->config, "Which model")->check(CLI::IsMember(names));
  command->add_flag("--dense", options->dense, "The dense model of equal active parameters instead");
  command->add_option("--dtype", options->dtype, "What matrix products are computed in")
      ->check(CLI::IsMember({"f32", "bf16", "auto"}));
  addBackendOption(*command, options->backend, "default: onednn");
  command->add_option("--threads", options->threads, "0: all cores")->check(CLI::NonNegativeNumber);
  command->add_option("--steps", options->steps, "Timed steps, after three that are not")->check(CLI::PositiveNumber);
  command->add_flag("--generate", options->generate, "Generate text one token at a time instead of training");
  command->add_flag("--recompute", options->recompute, "Backward computes each layer again instead of keeping it");
  command->add_flag("--profile", options->profile, "Split the time by operation (ms a step, or a token)");
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->callback([options] { bench(*options); });
}

}  // namespace moe::cli
