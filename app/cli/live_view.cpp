#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>

#include "app/cli/view_text.h"
#include "core/base/utf8.h"
#include "core/session/speedometer.h"
#include "core/telemetry/figure_text.h"

namespace moe::cli {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::size_t kAlertsShown = 4;
constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

struct Size {
  int columns = 80, rows = 24;
};
Size terminalSize() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row};
}

/// A colour of the 256-colour cube for load / fair share: blue below 1, grey at it, orange above; red-brown where dead.
int colourOf(double utilization) {
  if (utilization < 0.05) return 124;
  if (utilization < 0.5) return 33;
  if (utilization < 0.8) return 74;
  if (utilization < 1.25) return 250;
  return utilization < 2 ? 215 : 208;
}

/// Visible width of UTF-8 without escape sequences, cut to `columns`.
std::string cut(const std::string& text, int columns) {
  std::string result;
  int width = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 && ++width > columns) break;
    result += c;
  }
  return result;
}

class LiveView : public TrainView {
 public:
  ~LiveView() override {
    if (lines_ > 0) std::fputs("\x1b[?25h", stdout), std::fflush(stdout);
  }
  void begin(RunInTraining& run, const std::string& backend) override {
    headline_ = headline(run, backend);
    if (lines_ == 0) write({cut(headline_, terminalSize().columns)});  // the first step may take long
  }
  void step(RunInTraining& run, const StepPoint& point, const std::vector<RunEvent>& events) override {
    speed_.pass(run.tokensPerStep());
    if (point.validationLoss) validation_ = point.validationLoss;
    for (const RunEvent& event : events)
      if (event.kind == RunEvent::Kind::alertRaised || event.kind == RunEvent::Kind::alertCleared)
        news_ = "step " + std::to_string(event.step) + ": " + shownName(event.text);
    if (Clock::now() - drawn_ < kRedraw && !run.finished()) return;
    drawn_ = Clock::now();
    draw(run, point);
  }
  void note(RunInTraining&, const RunEvent& event) override {
    news_ = "step " + std::to_string(event.step) + ": " + shownName(event.text);
  }
  void end(const Closing& closing) override { std::fputs(closingText(closing).c_str(), stdout); }

 private:
  std::string bar(double utilization, bool dead) const {
    const int height = std::clamp(static_cast<int>(utilization * 4), 0, 7);  // a fair share is half of the height
    const std::string cell = dead ? "×" : kBars[height];
    return colours_ ? "\x1b[38;5;" + std::to_string(colourOf(utilization)) + "m" + cell + "\x1b[0m" : cell;
  }

  std::string progress(std::int64_t step, std::int64_t target, int width) const {
    const auto filled =
        static_cast<int>(static_cast<double>(width) * static_cast<double>(step) / static_cast<double>(target));
    std::string text;
    for (int i = 0; i < width; ++i) text += i < filled ? "━" : "─";
    return text;
  }

  void draw(RunInTraining& run, const StepPoint& point) {
    const Size size = terminalSize();
    std::vector<std::string> lines;
    const std::int64_t target = run.config().train.steps;
    const double rate = speed_.tokensPerSecond();
    std::string pace = "step " + std::to_string(point.step) + " / " + std::to_string(target) + " · " + speed(rate);
    if (rate > 0)
      pace += " · " + duration(static_cast<double>((target - point.step) * run.tokensPerStep()) / rate) + " left";
    char losses[160];
    std::snprintf(losses, sizeof losses, "loss %.3f · aux %.4f · gradient norm %.2f", point.loss, point.auxLoss,
                  point.gradientNorm);
    lines.push_back(cut(headline_, size.columns));
    lines.push_back(
        cut(progress(point.step, target, std::clamp(size.columns - 50, 8, 40)) + "  " + pace, size.columns));
    std::string lossLine = losses;
    if (validation_)
      std::snprintf(losses, sizeof losses, " · validation %.3f", *validation_),
          lossLine += losses + (" " + overHeldOut(run.summary().validatedTokens, run.summary().heldOutTokens));
    lines.push_back(cut(lossLine, size.columns));
    if (!point.layers.empty()) drawExperts(lines, run, point, size);
    const auto& alerts = run.watch().standing();
    for (std::size_t i = 0; i < alerts.size() && i < kAlertsShown; ++i) {
      char text[160];
      std::snprintf(text, sizeof text, "⚠ layer %d, expert %d is dying: %.1f %% of its fair share, since step %lld",
                    alerts[i].layer, alerts[i].expert, 100 * alerts[i].utilization,
                    static_cast<long long>(alerts[i].since));
      lines.push_back(cut(text, size.columns));
    }
    if (alerts.size() > kAlertsShown)
      lines.push_back("⚠ and " + std::to_string(alerts.size() - kAlertsShown) + " more");
    if (alerts.empty() && !news_.empty()) lines.push_back(cut(news_, size.columns));
    if (static_cast<int>(lines.size()) >= size.rows && size.rows > 4)
      lines.resize(static_cast<std::size_t>(size.rows - 1));
    write(lines);
  }

  /// In the place of what was drawn last.
  void write(const std::vector<std::string>& lines) {
    std::string out = lines_ == 0 ? "\x1b[?25l" : "\x1b[" + std::to_string(lines_) + "A";
    for (const std::string& line : lines) out += "\r\x1b[2K" + line + "\n";
    out += "\x1b[J";
    lines_ = lines.size();
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
  }

  /// A row a layer: each expert's load as a bar, one column an expert.
  void drawExperts(std::vector<std::string>& lines, RunInTraining& run, const StepPoint& point,
                   const Size& size) const {
    lines.push_back(
        cut("experts →  bar: load over the last 10 steps, half height = fair share, × = dead", size.columns));
    const std::vector<ExpertUtilization> loads = run.watch().window().utilization(10);
    std::size_t at = 0;
    for (const LayerPoint& layer : point.layers) {
      char text[96];
      std::snprintf(text, sizeof text, "%-8s ", layerName(layer.layer).c_str());
      std::string line = text;
      const auto room = static_cast<std::size_t>(std::max(8, size.columns - 45));
      const std::size_t gap = layer.load.size() * 2 <= room ? 2 : 1;
      for (std::size_t e = 0; e < layer.load.size() && at + e < loads.size(); ++e) {
        if ((e + 1) * gap > room) {
          line += "…";
          break;
        }
        const double utilization = loads[at + e].utilization;
        line += bar(utilization, utilization < 0.05) + (gap == 2 ? " " : "");
      }
      at += layer.load.size();
      std::snprintf(text, sizeof text, "  MaxVio %.2f · entropy %.2f", layer.maxVio, layer.routerEntropy);
      line += text;
      if (layer.dropRate > 0)
        std::snprintf(text, sizeof text, " · %.0f %% dropped", 100 * layer.dropRate), line += text;
      lines.push_back(line);
    }
  }

  const bool colours_ = std::getenv("NO_COLOR") == nullptr;
  std::string headline_, news_;
  std::optional<double> validation_;
  Speedometer speed_;
  Clock::time_point drawn_;
  std::size_t lines_ = 0;  // drawn last time
};

}  // namespace

std::unique_ptr<TrainView> makeLiveView() { return std::make_unique<LiveView>(); }

}  // namespace moe::cli
