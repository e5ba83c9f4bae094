#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "app/cli/commands.h"
#include "app/cli/progress_line.h"
#include "app/cli/train_options.h"
#include "app/cli/train_view.h"
#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/base/signals.h"
#include "core/base/utf8.h"
#include "core/session/checkpoints.h"
#include "core/session/healthy_restart.h"
#include "core/session/sentence.h"
#include "core/train/schedule.h"

namespace moe::cli {

namespace {

namespace fs = std::filesystem;

constexpr double kDeadShare = 0.05;  // of the fair share, over the last kSummarySteps steps

/// The store of this process, or the sentence that says why not.
void check(const Recorder& recorder) {
  if (const std::string problem = recorder.problem(); !problem.empty()) throw std::runtime_error(problem);
}

std::string describe(const Backend& backend) {
  return backend.name() + ", " + std::string(nameOf(backend.computeType())) + ", " + std::to_string(backend.threads()) +
         (backend.threads() == 1 ? " thread" : " threads");
}

/// A word for the shell, in quotes where it needs them.
std::string shellWord(const std::string& word) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) || std::strchr("_./-+=:@,%", c); };
  if (!word.empty() && std::ranges::all_of(word, plain)) return word;
  std::string quoted = "$'";
  for (const char c : word) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return shownName(quoted) + "'";
}

class HeadlessRun {
 public:
  HeadlessRun(const TrainOptions& options, EndingSignals& ending)
      : options_(options),
        ending_(ending),
        storePath_(options.store.empty() ? defaultStorePath() : fs::path(options.store)),
        store_(storePath_),
        recorder_(&store_),
        view_(options.json              ? makeJsonView()
              : ::isatty(STDOUT_FILENO) ? makeLiveView()
                                        : makePlainView()) {
    recorder_.finish();
    check(recorder_);
  }

  void begin() {
    PreparedRun prepared = prepareRun(configOf(options_), {.progress = progress()});
    line_.clear();
    const std::string beginning = beginningOf(prepared);
    RunSummary first = summaryOf(prepared);
    if (const auto& dense = prepared.dense) {
      const CheckpointRow row{
          .run = dense->run, .step = dense->state.step, .path = prepared.config.startFrom.checkpoint};
      if (isOwn(row, dense->config)) first.parent = row.run, first.parentStep = row.step;
    }
    requireFree(0, 0);
    saveWhenAskedToEnd();
    RunSummary summary = recorder_.create(std::move(first));
    check(recorder_);
    const RunId id = summary.id;
    const RunConfig config = prepared.config;
    try {
      make(std::move(summary), {}, std::move(prepared));
      run_->begin(run_->eventOf(RunEvent::Kind::started, beginning));
    } catch (const std::exception& problem) {
      RunEvent event;
      event.run = id;
      event.kind = RunEvent::Kind::failed;
      event.text = "Failed before its first step: " + sentenceOf(problem, &config);
      markFailed(event);
      throw Error("train", event.text);
    }
  }

  /// Goes on with the run from its newest checkpoint; from an older one, or one that another store wrote, with a run of its
  /// own that begins there, so that nothing of the other is touched.
  void resume() {
    const auto changes = changesOf(options_);
    const fs::path path = fs::canonical(checkpointAt(options_.resume));
    Checkpoint checkpoint = openToResume(path, {});
    if (options_.data) checkpoint.config.data.source = *options_.data;
    PreparedRun prepared =
        prepareRun(checkpoint, {.acceptOtherText = options_.acceptOtherText, .progress = progress()});
    line_.clear();
    const RunSummary now = summaryOf(prepared);
    const CheckpointRow row{.run = checkpoint.run,
                            .step = checkpoint.state.step,
                            .path = path.string(),
                            .healthy = checkpoint.watch.alerts.empty(),
                            .pinned = false,
                            .bytes = bytesOf(path)};
    const bool own = isOwn(row, prepared.config);
    const bool newest = own && recorder_.ask([&](RunStore& store) { return isNewest(store, row); });
    requireFree(newest ? row.run : 0, own ? row.run : 0);
    saveWhenAskedToEnd();
    if (newest) {
      recorder_.ask([&](RunStore& store) { rewindRun(store, row); });
      const auto past = recorder_.ask([&](RunStore& store) { return store.events(row.run); });
      recorder_.ask([&](RunStore& store) { store.setText(row.run, now); });
      make(recorder_.ask([&](RunStore& store) { return store.run(row.run); }),
           options_.out.empty() ? path.parent_path() : fs::path(), std::move(prepared));
      run_->restore(checkpoint, past);
      run_->record(run_->eventOf(
          RunEvent::Kind::restored,
          "Continued from the checkpoint of step " + std::to_string(row.step) + "." + textNote(checkpoint, now)));
    } else {
      RunSummary first = now;
      if (own) first.parent = row.run, first.parentStep = row.step;
      RunSummary summary = recorder_.create(std::move(first));
      check(recorder_);
      make(std::move(summary), {}, std::move(prepared));
      run_->restore(checkpoint, {});
      run_->begin(
          run_->eventOf(RunEvent::Kind::restored, "Continued from " + path.string() + "." + textNote(checkpoint, now)));
    }
    if (options_.rate == "hold") {
      const double held = heldRate(run_->config().train, run_->stepsDone());
      run_->setKnob("train.schedule", "constant");
      run_->setKnob("train.learning_rate", shortestText(held));
    }
    const TrainConfig before = run_->config().train;
    for (const auto& [setting, value] : changes) run_->setKnob(setting, value);
    rateNote_ = stretchedRate(before, run_->config().train, run_->stepsDone());
    recorder_.setState(run_->id(), RunSummary::State::running);
  }

  void train() {
    view_->begin(*run_, describe(*backend_));
    if (const std::string skipped = skippedText(*run_->prepared().corpus); !skipped.empty()) say(skipped.substr(1));
    if (!rateNote_.empty()) say(rateNote_);
    bool collapse = false, ended = false;
    while (run_->inFlight() || (!run_->finished() && !askedToEnd())) {
      const RunInTraining::Step step = run_->step(!askedToEnd() && !collapse);
      line_.clear();
      ended = step.validationEnded;
      if (!step.finite) notFinite();
      if (step.point.tokensPerSecond > 0)
        seconds_ += static_cast<double>(run_->tokensPerStep()) / step.point.tokensPerSecond;
      tokens_ += run_->tokensPerStep();
      trainLoss_ = step.point.loss;
      if (step.point.validationLoss) validationLoss_ = step.point.validationLoss;
      view_->step(*run_, step.point, step.events);
      collapse = collapse || collapsed(step.events);
      if (collapse && !run_->inFlight()) {
        collapse = false;
        restartIfWanted();
      }
      recorder_.flush(false);
      waitForRoom();
      check(recorder_);
    }
    run_->finished() && !ended ? finish() : stop();
  }

  /// What is known of the run stays with it; whatever is refused now is of no more interest than the problem itself.
  void fail(const std::exception& problem) {
    run_->abandonSteps();
    const std::string sentence = sentenceOf(problem, &run_->config());
    markFailed(run_->eventOf(RunEvent::Kind::failed, run_->failure(sentence)));
    if (dynamic_cast<const std::bad_alloc*>(&problem)) throw Error("memory", sentence);
  }

 private:
  void markFailed(const RunEvent& event) {
    recorder_.add(event);
    recorder_.setState(event.run, RunSummary::State::failed);
    recorder_.finish();
  }

  /// Training on would lose what cannot be saved.
  void waitForRoom() {
    if (!recorder_.waitsForRoom()) return;
    say(recorder_.problem() + Recorder::kWaits);
    while (recorder_.waitsForRoom() && !askedToEnd()) {
      std::this_thread::sleep_for(Recorder::kBetweenTries);
      recorder_.flush(false);
    }
    if (!recorder_.waitsForRoom()) say("There is room again: training goes on.");
  }

  /// From here on there is a run to lose: a signal, a closed terminal or a reader that went away finish the step and save.
  void saveWhenAskedToEnd() {
    ending_.endGently();
    std::signal(SIGPIPE, SIG_IGN);
  }
  bool askedToEnd() const { return ending_.asked() || std::ferror(stdout) != 0; }

  /// Shown while it is slow, and ended where the run is asked to end.
  Progress progress() {
    return [this](const std::string& what, double share) {
      if (askedToEnd()) throw Ended();
      line_.show(what, share);
    };
  }

  /// To the person; a reader of the JSON lines gets steps alone.
  void say(const std::string& note) {
    if (options_.json)
      std::fprintf(stderr, "%s\n", shownName(note).c_str());
    else
      view_->note(*run_, run_->eventOf(RunEvent::Kind::note, note));
  }

  /// The policy of alerts.restart: a child of the run goes on from the last healthy checkpoint, in a folder of its own.
  void restartIfWanted() {
    std::string sentence;
    auto fork = automaticRestart(*run_, recorder_, sentence);
    if (!fork) {
      if (sentence.empty() || gaveUp_) return;
      gaveUp_ = true;
      const RunEvent note = run_->eventOf(RunEvent::Kind::note, sentence);
      run_->record(note);
      view_->note(*run_, note);
      return;
    }
    PreparedRun prepared =
        prepareRun(fork->checkpoint, {.memoryReturned = memoryHeld(run_->config()), .similar = &run_->prepared()});
    RunSummary first = summaryOf(prepared);
    first.parent = run_->id();
    first.parentStep = fork->checkpoint.state.step;
    run_->saveIfChanged();
    settle(RunSummary::State::paused);
    recorder_.release(run_->id());
    run_.reset();
    RunSummary summary = recorder_.create(std::move(first));
    check(recorder_);
    const fs::path folder =
        options_.out.empty() ? fs::path()
                             : fs::path(options_.out) / ("restart-" + std::to_string(fork->checkpoint.watch.restarts));
    make(std::move(summary), folder, std::move(prepared));
    run_->restore(fork->checkpoint, {});
    fork->event.run = run_->id();
    fork->event.step = run_->stepsDone();
    run_->begin(fork->event);
    recorder_.setState(run_->id(), RunSummary::State::running);
    view_->note(*run_, fork->event);
    view_->begin(*run_, describe(*backend_));
  }

  /// What is to be known of the text that a resumed run goes on with.
  std::string textNote(const Checkpoint& checkpoint, const RunSummary& now) const {
    std::string note = options_.data ? " Its text lies at " + checkpoint.config.data.source + " now." : "";
    if (!checkpoint.textChecksum.empty() && checkpoint.textChecksum != now.textChecksum)
      note += " The text is another one: checksum " + now.textChecksum + ", was " + checkpoint.textChecksum + ".";
    return note;
  }

  void make(RunSummary summary, fs::path folder, PreparedRun prepared) {
    if (folder.empty())
      folder = options_.out.empty() ? checkpointFolder(fs::absolute(storePath_), summary.id) : fs::path(options_.out);
    folder = fs::absolute(folder).lexically_normal();
    backend_ = makeBackend(backendOptions(prepared.config));
    run_ = std::make_unique<RunInTraining>(std::move(summary), std::move(folder), std::move(prepared), *backend_,
                                           recorder_);
    run_->setProgress(progress());
  }

  /// Whether this store's run of that number wrote the checkpoint: the same seed, and its checkpoints in the same folder.
  bool isOwn(const CheckpointRow& row, const RunConfig& config) {
    return recorder_.ask([&](RunStore& store) {
      const std::vector<RunSummary> all = store.runs();
      const auto same = std::find_if(all.begin(), all.end(), [&](const RunSummary& run) { return run.id == row.run; });
      if (same == all.end() || same->seed != config.seed) return false;
      const std::vector<CheckpointRow> rows = store.checkpoints(row.run);
      return std::any_of(rows.begin(), rows.end(), [&](const CheckpointRow& other) {
        return fs::weakly_canonical(other.path).parent_path() == fs::path(row.path).parent_path();
      });
    });
  }

  /// Neither a pinned checkpoint nor one of the run `whole` is replaced by those of run `id`.
  void requireFree(RunId id, RunId whole) {
    if (options_.out.empty()) return;
    const fs::path folder = fs::absolute(options_.out);
    recorder_.ask([&](RunStore& store) {
      for (const RunSummary& other : store.runs()) {
        if (other.id == id) continue;
        for (const CheckpointRow& row : store.checkpoints(other.id))
          if ((row.pinned || other.id == whole) && fs::exists(row.path) &&
              fs::weakly_canonical(row.path).parent_path() == fs::weakly_canonical(folder))
            throw Error("train",
                        folder.string() +
                            ": expected a folder without checkpoints that are to be kept, found those of run " +
                            std::to_string(other.id) + "; choose another with --out");
      }
    });
  }

  std::string newestCheckpoint() const { return stepFolder(run_->folder(), run_->stepsDone()).string(); }

  void settle(RunSummary::State state) {
    recorder_.setState(run_->id(), state);
    recorder_.finish();
    check(recorder_);
  }

  [[noreturn]] void notFinite() {
    run_->saveIfChanged();
    throw Error("train", "the loss of step " + std::to_string(run_->stepsDone() + 1) +
                             " is not a finite number; the weights before it are in " + newestCheckpoint() +
                             ": resume from a healthy checkpoint with a lower --set train.learning_rate=...");
  }

  void stop() {
    run_->saveIfChanged();
    settle(RunSummary::State::paused);
    std::fprintf(stderr, "Stopped after step %lld; it is saved. Continue with: switchyard-cli train --resume %s%s\n",
                 static_cast<long long>(run_->stepsDone()), shellWord(run_->folder().string()).c_str(),
                 options_.store.empty() ? "" : (" --store " + shellWord(options_.store)).c_str());
  }

  void finish() {
    if (trainLoss_) {
      run_->record(
          run_->eventOf(RunEvent::Kind::finished, "Finished after " + std::to_string(run_->stepsDone()) + " steps."));
    } else {  // nothing was left to train
      trainLoss_ = run_->summary().trainLoss;
      try {
        validationLoss_ = run_->trainer().evaluate(kValidationTokens, progress());
      } catch (const Ended&) { return stop(); }
      line_.clear();
    }
    run_->saveIfChanged();
    settle(RunSummary::State::finished);
    Closing closing;
    closing.run = run_->id();
    closing.steps = run_->stepsDone();
    closing.trainLoss = trainLoss_;
    closing.validationLoss = validationLoss_;
    closing.validatedTokens = run_->summary().validatedTokens;
    closing.heldOutTokens = run_->summary().heldOutTokens;
    closing.tokensPerSecond = seconds_ > 0 ? static_cast<double>(tokens_) / seconds_ : 0;
    closing.maxVio = run_->watch().window().maxVio(kSummarySteps);
    for (const ExpertUtilization& expert : run_->watch().window().utilization(kSummarySteps))
      if (expert.utilization < kDeadShare) closing.dead.push_back(expert);
    closing.checkpoint = newestCheckpoint();
    view_->end(closing);
  }

  const TrainOptions& options_;
  EndingSignals& ending_;
  const fs::path storePath_;
  StoreThread store_;
  Recorder recorder_;                 // its rows are in the store before that closes
  std::unique_ptr<Backend> backend_;  // before the run: it uses it
  std::unique_ptr<RunInTraining> run_;
  std::unique_ptr<TrainView> view_;
  ProgressLine line_;
  std::optional<double> trainLoss_, validationLoss_;
  std::int64_t tokens_ = 0;
  std::string rateNote_;  // what another target does to the learning rate
  bool gaveUp_ = false;   // it was said that the run is not restarted any more
  double seconds_ = 0;    // spent in training steps
};

void train(const TrainOptions& options, EndingSignals& ending) {
  if (options.resume.empty()) {
    const RunConfig checked = configOf(options);  // wrong usage is said before a store is touched
    if (const auto found = problems(checked); !found.empty())
      throw Error("config", found.front().path + ": " + found.front().sentence);
  } else {
    changesOf(options);
  }
  HeadlessRun run(options, ending);
  if (options.resume.empty()) {
    run.begin();
  } else {
    run.resume();
  }
  try {
    run.train();
  } catch (const std::exception& problem) {
    run.fail(problem);
    throw;
  }
}

}  // namespace

void addTrain(CLI::App& program, EndingSignals& ending) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = program.add_subcommand("train", "Trains a model, live in the terminal");
  addOptions(*command, *options);
  command->callback([options, &ending] { train(*options, ending); });
}

}  // namespace moe::cli
