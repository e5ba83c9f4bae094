#pragma once
#include <QObject>
#include <QString>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/data/text_files.h"
#include "core/telemetry/points.h"
#include "core/train/run_config.h"

namespace moe::ui {

/// The recipe as a person is changing it, beside the recipe that is training. A live setting goes to the run at once
/// (`knobTurned`); every other change waits in the draft until a new model is started with it. Values are JSON text.
class RecipeDraft : public QObject {
  Q_OBJECT

 public:
  explicit RecipeDraft(QObject* parent = nullptr);

  /// The run and its configuration now; without one nothing is live. What waits stays, until another run comes.
  void setPresent(RunId run, const std::optional<RunConfig>& config);
  bool running() const { return present_.has_value(); }
  const RunConfig& config() const { return draft_; }
  /// Of the text that it names, where that is one file; a folder is measured when a run begins.
  const TextSize& textSize() const;

  /// One setting. A value that cannot be read stays out of the draft, and its sentence beside its path.
  void change(const std::string& path, const std::string& value);
  /// A part that is absent until switched on ("adjust.selection_bias"); `first` is the first setting in it.
  void switchPart(const std::string& part, const std::string& first, bool on);
  /// A load term with coefficient 0, which only measures.
  void addBalanceTerm();
  void removeBalanceTerm(int index);
  /// Everything of a preset but data, seed, threads, backend, number type and alerts: those are the person's own.
  void choosePreset(const std::string& id);
  /// The draft as the JSON text of a run's configuration, and the other way round.
  std::string text() const;
  struct Reading {
    std::optional<RunConfig> config;
    std::string sentence;  // why it cannot be read, or why a run of it could not start; empty: all is well
  };
  static Reading read(const std::string& text);
  void take(const RunConfig& config);
  /// Back to the value of the preset the draft began from.
  void reset(const std::string& path);
  void discard();
  /// The run refused something: what was sent and has not arrived goes back to what is.
  void takeBack();

  std::string value(const std::string& path) const;
  /// Nothing where there is no preset, or it has no such part or balance term.
  std::optional<std::string> presetValue(const std::string& path) const;
  bool pending(const std::string& path) const;
  bool anythingPending() const;
  bool unreadable(const std::string& path) const;
  /// Sentences by path: values that cannot be read first, then what the draft's configuration refuses.
  const std::vector<Problem>& problems() const { return problems_; }
  /// Those of one path and of what lies below it.
  QString problem(const std::string& path) const;

 Q_SIGNALS:
  void changed();
  void knobTurned(const std::string& path, const std::string& value);

 private:
  void set(const std::string& path, const std::string& value);
  void turnIfLive(const std::string& path, const std::string& value, const RunConfig& wanted);
  void follow(const RunConfig& before);
  void settle();

  /// Values already looked up, by path; each lookup writes the whole configuration out.
  using Values = std::map<std::string, std::string>;
  static const std::string& valueIn(Values& values, const RunConfig& config, const std::string& path);

  RunId run_ = 0;
  std::optional<RunConfig> present_;
  std::map<std::string, std::string> sent_;  // live settings on their way to the run
  RunConfig expected_;                       // the run's configuration once they have arrived
  RunConfig draft_;
  mutable std::optional<DataConfig> measured_;  // whose size is text_
  mutable TextSize text_;
  std::optional<RunConfig> preset_;                             // of draft_.preset
  mutable Values draftValues_, expectedValues_, presetValues_;  // of the three since the last change
  std::map<std::string, std::string> unreadable_;
  std::vector<Problem> problems_;
};

}  // namespace moe::ui
