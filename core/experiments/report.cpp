#include "core/experiments/report.h"

#include <algorithm>

namespace moe {
namespace {

std::string joined(const std::vector<std::uint64_t>& seeds) {
  std::string text;
  for (const std::uint64_t seed : seeds) text += (text.empty() ? "" : ", ") + std::to_string(seed);
  return text;
}

/// A bar would end a table's cell.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, 1, '\\');
  return text;
}

std::string verdictWord(bool holds) { return holds ? "holds" : "**does not appear**"; }

void writeSummary(std::string& text, std::span<const Outcome> outcomes) {
  text += "| experiment | expected | measured | verdict |\n|---|---|---|---|\n";
  for (const Outcome& outcome : outcomes)
    for (const Band& band : outcome.experiment.bands) {
      text += "| [" + cell(outcome.experiment.id) + "](#" + outcome.experiment.id + ") | " + cell(band.says) + " | ";
      if (outcome.lacks.empty()) {
        const Verdict verdict = judge(outcome, band);
        text += measuredText(verdict, band) + " | " + verdictWord(verdict.holds) + " |\n";
      } else {
        text += "– | not tried: it needs " + cell(outcome.lacks) + " |\n";
      }
    }
}

void writeMeasures(std::string& text, const Outcome& outcome) {
  text += "| arm |";
  std::string rule = "|---|";
  for (const std::string& name : outcome.experiment.measures) {
    const NamedMeasure named = measureNamed(name);
    text += " " + std::string(named.measure->label);
    if (named.step >= 0) text += " after " + std::to_string(named.step) + " steps";
    if (!named.measure->unit.empty()) text += " (" + std::string(named.measure->unit) + ")";
    text += " |";
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (const Arm& arm : outcome.experiment.arms) {
    text += "| " + cell(arm.name) + " |";
    for (const std::string& name : outcome.experiment.measures) {
      const std::vector<double> values = outcome.values(arm.name, name);
      text += " " + (values.empty() ? "–" : textOfValues(values, measureNamed(name).measure->digits)) + " |";
    }
    text += "\n";
  }
}

void writeBands(std::string& text, const Outcome& outcome) {
  text += "\n| what | band | measured | verdict |\n|---|---|---|---|\n";
  for (const Band& band : outcome.experiment.bands) {
    const Verdict verdict = judge(outcome, band);
    text += "| " + cell(band.says) + ": " + cell(quantityOf(band)) + " | " + expectationOf(band) + " | " +
            measuredText(verdict, band) + " | " + verdictWord(verdict.holds) + " |\n";
  }
}

void writeExperiment(std::string& text, const Outcome& outcome) {
  const Experiment& experiment = outcome.experiment;
  text += "\n## " + experiment.id + "\n\n**" + experiment.title + ".** " + experiment.question + "\n\n";
  text += "Published: " + experiment.claim + " (" + experiment.source + ")\n\n";
  text += "Here: " + experiment.here + " " + std::to_string(experiment.steps) + " steps, seeds " +
          joined(outcome.seeds) + ".\n\n";
  if (outcome.lacks.empty()) {
    writeMeasures(text, outcome);
    writeBands(text, outcome);
  } else {
    text += "Not tried: it needs " + outcome.lacks + ".\n";
  }
  text += "\n";
  for (const Arm& arm : experiment.arms) text += "    " + commandOf(experiment, arm) + "    # " + arm.name + "\n";
}

/// A value as a shell takes it: quoted where it is more than letters, digits and points.
std::string shellText(const std::string& value) {
  const bool plain = std::ranges::all_of(value, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-' || c == '=';
  });
  if (plain) return value;
  std::string quoted(1, '\'');
  return quoted.append(value).append(1, '\'');
}

/// A word needs no quotes of its own: `--set` takes what is no JSON as a word.
std::string plainWord(const std::string& json) {
  const bool word = json.size() > 2 && json.front() == '"' && json.find_first_of("\"\\", 1) == json.size() - 1;
  return word ? json.substr(1, json.size() - 2) : json;
}

}  // namespace

std::string commandOf(const Experiment& experiment, const Arm& arm) {
  std::string text = "switchyard-cli train --preset " + arm.preset;
  if (!arm.grownFrom.empty()) text += " --upcycle CHECKPOINT";
  if (!experiment.text.empty()) text += " --data " + shellText(experiment.text);
  std::string type = "f32";
  for (const auto& [path, value] : arm.set)
    if (path == "dtype")
      type = plainWord(value);
    else
      text += " --set " + shellText(path + "=" + plainWord(value));
  text +=
      " --steps " + std::to_string(arm.steps.value_or(experiment.steps)) + " --dtype " + type + " --threads 1 --seed S";
  if (arm.denseTwin) text += "  (its dense twin)";
  return text;
}

std::string reportOf(std::span<const Outcome> outcomes, const ReportOrigin& origin) {
  double seconds = 0;
  std::size_t bands = 0, held = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.lacks.empty())
      for (const Band& band : outcome.experiment.bands) ++bands, held += judge(outcome, band).holds;
    for (const auto& arm : outcome.results)
      for (const ArmResult& result : arm) seconds += result.seconds;
  }
  std::string text =
      "# Experiments\n\nPublished claims about mixtures of experts, tried at a size that trains in a minute. ";
  text +=
      "Each file beside this page holds a claim, its arms and the bands that were written down before anything was "
      "measured; "
      "a band is never widened. Numbers are the mean of the seeds, with the least and the greatest.\n\n";
  text +=
      "Made by `" + origin.command + "` on " + origin.machine + ", " + origin.date + ": " + std::to_string(held) +
      " of " + std::to_string(bands) + " bands hold. An arm is computed in f32 where its command does not say bf16. " +
      textOfValues({seconds / 60}, 0) +
      " minutes of one core, arms that experiments share counted each time. Results are kept and nothing is "
      "trained twice. The same build gives the same bits; another may sum in another order, which training amplifies "
      "to some thousandths of a nat on a seed.\n\n";
  writeSummary(text, outcomes);
  for (const Outcome& outcome : outcomes) writeExperiment(text, outcome);
  return text;
}

}  // namespace moe
