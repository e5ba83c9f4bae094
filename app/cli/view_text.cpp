#include "app/cli/view_text.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <span>

#include "core/base/utf8.h"
#include "core/telemetry/figure_text.h"

namespace moe::cli {

namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

std::string shortened(std::int64_t count) {
  return count >= 1'000'000 ? format("%.1f M", static_cast<double>(count) / 1e6)
                            : format("%.1fk", static_cast<double>(count) / 1e3);
}

/// ", validation 2.387 nats a token over 80,000 of 1.2 M held-out tokens"
std::string validationText(double loss, std::int64_t tokens, std::int64_t heldOut) {
  const std::string over = overHeldOut(tokens, heldOut);
  return format(", validation %.3f nats a token", loss) + (over.empty() ? "" : " " + over);
}

}  // namespace

std::string headline(RunInTraining& run, const std::string& backend) {
  const RunSummary& summary = run.summary();
  const std::string number = summary.id > 0 ? "Run " + std::to_string(summary.id) : "Unrecorded run";
  return number + " · " + shownName(summary.name) + " · " + shortened(summary.totalParameters) + " parameters, " +
         shortened(summary.activeParameters) + " active · " + backend;
}

std::string speed(double tokensPerSecond) {
  return tokensPerSecond >= 1000 ? format("%.1fk tok/s", tokensPerSecond / 1000)
                                 : format("%.0f tok/s", tokensPerSecond);
}

std::string duration(double seconds) {
  const auto whole = static_cast<long long>(seconds + 0.5);
  return whole >= 3600 ? format("%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60)
                       : format("%lld:%02lld", whole / 60, whole % 60);
}

double largestMaxVio(const StepPoint& point) {
  double largest = 0;
  for (const LayerPoint& layer : point.layers) largest = std::max<double>(largest, layer.maxVio);
  return largest;
}

std::string closingText(const Closing& closing) {
  std::string text = format("Finished %lld steps", static_cast<long long>(closing.steps));
  if (closing.trainLoss) text += format(", loss %.3f", *closing.trainLoss);
  if (closing.validationLoss)
    text += validationText(*closing.validationLoss, closing.validatedTokens, closing.heldOutTokens);
  text += ", " + speed(closing.tokensPerSecond) + ".\n";
  if (!closing.maxVio.empty()) {
    text += "MaxVio over the last " + std::to_string(kSummarySteps) + " steps:";
    for (double value : closing.maxVio) text += format(" %.2f", value);
    constexpr std::size_t kNamed = 10;
    text += closing.dead.empty() ? "; no dead experts.\n"
                                 : "; " + std::to_string(closing.dead.size()) +
                                       (closing.dead.size() == 1 ? " dead expert:" : " dead experts:");
    for (const ExpertUtilization& expert : std::span(closing.dead).first(std::min(kNamed, closing.dead.size())))
      text += format(" %s E%d", layerSymbol(expert.layer).c_str(), expert.expert);
    if (closing.dead.size() > kNamed) text += " and " + std::to_string(closing.dead.size() - kNamed) + " more";
    if (!closing.dead.empty()) text += ".\n";
  }
  if (!closing.checkpoint.empty()) text += "Checkpoint: " + shownName(closing.checkpoint) + "\n";
  return text;
}

}  // namespace moe::cli
