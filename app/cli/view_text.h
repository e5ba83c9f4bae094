#pragma once
#include <string>

#include "app/cli/train_view.h"

namespace moe::cli {

// The sentences and numbers that the plain and the live view share.

/// "Run 3 · Dense · 4.6 M parameters, 1.6 M active · onednn, f32, 2 threads"
std::string headline(RunInTraining& run, const std::string& backend);
/// "8.3k tok/s"
std::string speed(double tokensPerSecond);
/// "1:05", "2:03:04"
std::string duration(double seconds);
double largestMaxVio(const StepPoint& point);
/// How the run closed: losses, balance, dead experts, the checkpoint.
std::string closingText(const Closing& closing);

}  // namespace moe::cli
