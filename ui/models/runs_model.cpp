#include "ui/models/runs_model.h"

#include <algorithm>

#include "core/explain/run_facts.h"
#include "ui/widgets/format.h"

namespace moe::ui {

QString wordFor(RunSummary::State state) {
  switch (state) {
    case RunSummary::State::running: return QStringLiteral("training");
    case RunSummary::State::paused: return QStringLiteral("paused");
    case RunSummary::State::finished: return QStringLiteral("finished");
    case RunSummary::State::failed: return QStringLiteral("failed");
    case RunSummary::State::interrupted: return QStringLiteral("interrupted");
  }
  return {};
}

void RunsModel::setRuns(std::vector<ListedRun> runs) {
  std::stable_sort(runs.begin(), runs.end(),
                   [](const ListedRun& a, const ListedRun& b) { return a.summary.id > b.summary.id; });
  const bool sameRows = std::equal(runs.begin(), runs.end(), runs_.begin(), runs_.end(),
                                   [](const ListedRun& a, const ListedRun& b) { return a.summary.id == b.summary.id; });
  // Keeping the rows keeps the person's selection and an open editor.
  if (sameRows) {
    runs_ = std::move(runs);
    if (!runs_.empty()) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount_ - 1));
    return;
  }
  beginResetModel();
  runs_ = std::move(runs);
  endResetModel();
}

void RunsModel::setTicked(const QSet<RunId>& runs) {
  if (ticked_ == runs) return;
  ticked_ = runs;
  if (!runs_.empty()) Q_EMIT dataChanged(index(0, name), index(rowCount() - 1, name), {Qt::CheckStateRole});
}

int RunsModel::rowOf(RunId run) const {
  const auto found =
      std::find_if(runs_.begin(), runs_.end(), [run](const ListedRun& line) { return line.summary.id == run; });
  return found == runs_.end() ? -1 : static_cast<int>(found - runs_.begin());
}

std::int64_t RunsModel::totalBytes() const {
  std::int64_t total = 0;
  for (const ListedRun& line : runs_) total += line.checkpointBytes;
  return total;
}

std::vector<Explanation> RunsModel::explanations(int row, int column) const {
  const ListedRun& line = at(row);
  const RunSummary& run = line.summary;
  StepPoint point;
  point.step = run.steps;
  point.validationLoss = run.validationLoss;
  const auto config = configFromText(run.config);
  RunFacts facts = config ? factsOf(*config) : RunFacts{};
  facts.validatedTokens = run.validatedTokens;
  facts.heldOutTokens = run.heldOutTokens;
  const auto plain = [&](const QString& what, const QString& formula, const QString& values, const QString& meaning) {
    return std::vector<Explanation>{
        {what.toStdString(), formula.toStdString(), values.toStdString(), meaning.toStdString()}};
  };
  switch (column) {
    case step:
      return plain(
          tr("Steps"), tr("optimiser steps done / asked for"),
          tr("%1 / %2 = %3")
              .arg(grouped(run.steps), grouped(run.targetSteps),
                   run.targetSteps > 0 ? percent(static_cast<double>(run.steps) / static_cast<double>(run.targetSteps))
                                       : QString(QChar(0x2013))),
          tr("Open the run to let it go on."));
    case trainLoss:
      if (!run.trainLoss) return {};
      point.loss = *run.trainLoss;
      return {explain(Metric::loss, point, facts)};
    case validationLoss: return {explain(Metric::validationLoss, point, facts)};
    case parameters:
      if (!config) return {};
      return {explain(ModelQuantity::activeParameters, facts), explain(ModelQuantity::totalParameters, facts)};
    case alerts:
      return plain(tr("Alerts"), tr("alerts raised since step 0"), tr("= %1").arg(run.alerts),
                   tr("How often an expert fell below the threshold; one that recovers and falls again counts twice."));
    case disk:
      return plain(tr("Disk"), tr("sum of the files in its checkpoint folders"),
                   tr("%1 checkpoints: %2 bytes = %3")
                       .arg(grouped(line.checkpoints), grouped(line.checkpointBytes), bytes(line.checkpointBytes)),
                   tr("The newest three are kept, every one an alert's remedy may need, and those you marked."));
    default: return {};
  }
}

int RunsModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(runs_.size());
}
int RunsModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : columnCount_; }

QVariant RunsModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const ListedRun& line = at(index.row());
  const RunSummary& run = line.summary;
  if (role == kRunRole) return QVariant::fromValue(run.id);
  if (role == Qt::CheckStateRole && index.column() == name)
    return ticked_.contains(run.id) ? Qt::Checked : Qt::Unchecked;
  if (role == Qt::TextAlignmentRole) {
    const bool isNumber = (index.column() >= step && index.column() <= disk);
    return QVariant(Qt::AlignVCenter | (isNumber ? Qt::AlignRight : Qt::AlignLeft));
  }
  if (role == Qt::ToolTipRole && index.column() == note) return QString::fromStdString(run.note);
  if (role == Qt::ToolTipRole && index.column() == name && run.parent != 0)
    return tr("Forked from run %1 at step %2").arg(run.parent).arg(run.parentStep);
  const bool sorting = role == kSortRole;
  if (role != Qt::DisplayRole && role != Qt::EditRole && !sorting) return {};
  const auto loss = [&](const std::optional<double>& value) {
    if (sorting) return QVariant(value.value_or(1e300));
    return QVariant(value ? number(*value) : QStringLiteral("–"));
  };
  switch (index.column()) {
    case name: return role == Qt::DisplayRole ? shown(run.name) : QString::fromStdString(run.name);
    case preset: return QString::fromStdString(run.preset);
    case state: return wordFor(run.state);
    case step:
      return sorting ? QVariant::fromValue(run.steps)
                     : QVariant(tr("%1 / %2").arg(grouped(run.steps), grouped(run.targetSteps)));
    case trainLoss: return loss(run.trainLoss);
    case validationLoss: return loss(run.validationLoss);
    case parameters:
      return sorting ? QVariant::fromValue(run.totalParameters)
                     : QVariant(
                           tr("%1 of %2")
                               .arg(shortCount(double(run.activeParameters)), shortCount(double(run.totalParameters))));
    case seed: return QVariant::fromValue(static_cast<qulonglong>(run.seed));
    case alerts: return QVariant::fromValue(run.alerts);
    case disk: return sorting ? QVariant::fromValue(line.checkpointBytes) : QVariant(bytes(line.checkpointBytes));
    case created: return QString::fromStdString(run.created).left(16).replace('T', ' ');
    case note: return QString::fromStdString(run.note);
    default: return {};
  }
}

QVariant RunsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  struct Header {
    const char *word, *meaning;
  };
  static constexpr Header kHeaders[columnCount_] = {
      {"Run", "Tick a run to lay its curves over the others; double-click to rename it"},
      {"Preset", "The recipe file it began from"},
      {"State", "What it was doing when it was last written"},
      {"Step", "Optimiser steps done, of those asked for"},
      {"Train loss", "Newest training cross-entropy, nats a token"},
      {"Val. loss", "Newest loss on the held-out text, nats a token"},
      {"Active of total", "Parameters that one token passes, of all parameters"},
      {"Seed", "Same seed and thread count: the same numbers"},
      {"Alerts", "How often an expert fell below the threshold"},
      {"Disk", "Size of its checkpoint folders"},
      {"Started (UTC)", "When the run was created"},
      {"Note", "Your words; double-click to write"}};
  if (role == Qt::DisplayRole) return tr(kHeaders[section].word);
  if (role == Qt::ToolTipRole) return tr(kHeaders[section].meaning);
  return {};
}

Qt::ItemFlags RunsModel::flags(const QModelIndex& index) const {
  Qt::ItemFlags flags = QAbstractTableModel::flags(index);
  if (index.column() == name) flags |= Qt::ItemIsEditable | Qt::ItemIsUserCheckable;
  if (index.column() == note) flags |= Qt::ItemIsEditable;
  return flags;
}

bool RunsModel::setData(const QModelIndex& index, const QVariant& value, int role) {
  if (!index.isValid()) return false;
  const RunId run = at(index.row()).summary.id;
  if (role == Qt::CheckStateRole && index.column() == name) {
    Q_EMIT ticked(run, value.toInt() == Qt::Checked);
    return true;
  }
  if (role != Qt::EditRole) return false;
  const QString text = value.toString().trimmed();
  if (index.column() == name && !text.isEmpty()) Q_EMIT renamed(run, text);
  if (index.column() == note) Q_EMIT noted(run, text);
  return index.column() == note || !text.isEmpty();
}

}  // namespace moe::ui
