#include "ui/models/run_marks.h"

#include <QStringList>

namespace moe::ui {

namespace {
using Kind = RunEvent::Kind;
const QString kArrow = QString::fromUtf8(" \u2192 ");
}  // namespace

QString shortName(const std::string& path) {
  QStringList words = QString::fromStdString(path).split('.');
  words.removeIf([](const QString& word) { return !word.isEmpty() && word[0].isDigit(); });
  if (words.isEmpty()) return QString::fromStdString(path);
  // These mean nothing without the thing they belong to.
  static const QStringList kVague{"coefficient", "rate",   "factor", "fraction", "kind",
                                  "threshold",   "window", "update", "clears"};
  QString name = words.last();
  if (kVague.contains(name) && words.size() > 1) name = words[words.size() - 2] + ' ' + name;
  return name.replace('_', ' ');
}

QString knobText(const RunEvent& event) {
  const auto value = [](const std::string& json) {
    const QString text = QString::fromStdString(json).remove('"');
    return text.isEmpty() || text == "null" ? QString("none") : text;
  };
  return shortName(event.path) + ' ' + value(event.oldValue) + kArrow + value(event.newValue);
}

bool isMarked(const RunEvent& event) {
  switch (event.kind) {
    case Kind::knob:
    case Kind::undo:
    case Kind::restored:
    case Kind::forked:
    case Kind::notFinite: return true;
    default: return false;
  }
}

QString markLabel(const RunEvent& event) {
  switch (event.kind) {
    case Kind::knob: return knobText(event);
    case Kind::undo: return "undo: " + knobText(event);
    case Kind::restored: return "restored";
    case Kind::forked: return "fork";
    case Kind::notFinite: return "not finite";
    case Kind::failed: return "failed";
    default: return {};
  }
}

QString sentenceOf(const RunEvent& event) {
  if (!event.text.empty()) return QString::fromStdString(event.text);
  switch (event.kind) {
    case Kind::knob:
    case Kind::undo: return markLabel(event);
    case Kind::alertRaised:
      return QString("%1, expert %2: below its threshold")
          .arg(QString::fromStdString(layerName(event.layer)))
          .arg(event.expert);
    case Kind::alertCleared:
      return QString("%1, expert %2: alive again")
          .arg(QString::fromStdString(layerName(event.layer)))
          .arg(event.expert);
    case Kind::started: return "started";
    case Kind::paused: return "paused";
    case Kind::resumed: return "resumed";
    case Kind::restored: return "restored from a checkpoint";
    case Kind::checkpoint: return "checkpoint written";
    case Kind::notFinite: return "the loss is not finite";
    case Kind::finished: return "finished";
    case Kind::forked: return "forked";
    case Kind::note: return "note";
    case Kind::failed: return "failed";
  }
  return {};
}

std::vector<AlertSpan> alertSpans(const std::vector<RunEvent>& events) {
  std::vector<AlertSpan> spans;
  for (const RunEvent& event : events) {
    if (event.kind == Kind::alertRaised) spans.push_back({event.layer, event.expert, event.step, -1});
    if (event.kind == Kind::alertCleared)
      for (AlertSpan& span : spans)
        if (span.to < 0 && span.layer == event.layer && span.expert == event.expert) span.to = event.step;
  }
  return spans;
}

}  // namespace moe::ui
