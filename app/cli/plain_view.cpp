#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/view_text.h"
#include "core/base/utf8.h"

namespace moe::cli {

namespace {

constexpr std::int64_t kEvery = 10;  // steps a line

class JsonView : public TrainView {
 public:
  void begin(RunInTraining&, const std::string&) override {}
  void step(RunInTraining& run, const StepPoint& point, const std::vector<RunEvent>&) override {
    printLine(stepLine(point, run.watch().standing()));
  }
  void note(RunInTraining& run, const RunEvent& event) override {
    printLine({{"note", event.text},
               {"run", run.id()},
               {"step", event.step},
               {"forked", event.kind == RunEvent::Kind::forked}});
  }
  void end(const Closing& closing) override { printLine(closingLine(closing)); }
};

class PlainView : public TrainView {
 public:
  void begin(RunInTraining& run, const std::string& backend) override {
    std::printf("%s\n", headline(run, backend).c_str());
    std::fflush(stdout);  // the first step may take long
  }
  void step(RunInTraining& run, const StepPoint& point, const std::vector<RunEvent>& events) override {
    for (const RunEvent& event : events)
      std::printf("step %lld: %s\n", static_cast<long long>(event.step), shownName(event.text).c_str());
    if (point.step % kEvery == 0 || point.validationLoss || run.finished()) {
      std::printf("step %lld / %lld  loss %.3f", static_cast<long long>(point.step),
                  static_cast<long long>(run.config().train.steps), point.loss);
      if (point.validationLoss) std::printf("  validation %.3f", *point.validationLoss);
      if (!point.layers.empty()) std::printf("  MaxVio %.2f", largestMaxVio(point));
      std::printf("  %s", speed(point.tokensPerSecond).c_str());
      if (!run.watch().standing().empty()) std::printf("  %zu alerts", run.watch().standing().size());
      std::printf("\n");
    }
    std::fflush(stdout);
  }
  void note(RunInTraining&, const RunEvent& event) override {
    std::printf("step %lld: %s\n", static_cast<long long>(event.step), shownName(event.text).c_str());
    std::fflush(stdout);  // what it tells of may take long
  }
  void end(const Closing& closing) override { std::printf("%s", closingText(closing).c_str()); }
};

}  // namespace

std::unique_ptr<TrainView> makeJsonView() { return std::make_unique<JsonView>(); }
std::unique_ptr<TrainView> makePlainView() { return std::make_unique<PlainView>(); }

}  // namespace moe::cli
