#pragma once
#include <CLI/CLI.hpp>

namespace moe {
class EndingSignals;
}

namespace moe::cli {

// Each adds one subcommand and its callback; one file each, named after the subcommand. A callback throws moe::Error to
// fail (exit code 1), CLI::ValidationError for wrong usage (2).
void addTrain(CLI::App& program, EndingSignals& ending);
void addInspect(CLI::App& program);
void addEvaluate(CLI::App& program);
void addExperts(CLI::App& program);
void addGenerate(CLI::App& program);
void addPresets(CLI::App& program);
void addSettings(CLI::App& program);
void addDevices(CLI::App& program);
void addBench(CLI::App& program);
void addVerifyRouting(CLI::App& program);
void addRuns(CLI::App& program);
void addExperiments(CLI::App& program);

}  // namespace moe::cli
