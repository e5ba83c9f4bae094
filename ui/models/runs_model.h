#pragma once
#include <QAbstractTableModel>
#include <QSet>
#include <vector>

#include "core/explain/explanation.h"
#include "core/session/stored_runs.h"

namespace moe::ui {

/// The list of stored runs as a table, newest first. The first column's check mark says whether a run lies over the
/// curves; name and note can be edited in place: the model only tells, the store changes, and a new list arrives.
class RunsModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Column {
    name,
    preset,
    state,
    step,
    trainLoss,
    validationLoss,
    parameters,
    seed,
    alerts,
    disk,
    created,
    note,
    columnCount_
  };
  static constexpr int kSortRole = Qt::UserRole;     // numbers as numbers
  static constexpr int kRunRole = Qt::UserRole + 1;  // RunId

  using QAbstractTableModel::QAbstractTableModel;

  void setRuns(std::vector<ListedRun> runs);
  /// Which runs are ticked; those not listed are ignored.
  void setTicked(const QSet<RunId>& runs);
  const ListedRun& at(int row) const { return runs_[static_cast<std::size_t>(row)]; }
  int rowOf(RunId run) const;  // -1: not listed
  std::int64_t totalBytes() const;
  /// How the numbers of a cell came about; empty: it holds none.
  std::vector<Explanation> explanations(int row, int column) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;
  bool setData(const QModelIndex& index, const QVariant& value, int role) override;

 Q_SIGNALS:
  void renamed(moe::RunId run, const QString& name);
  void noted(moe::RunId run, const QString& note);
  void ticked(moe::RunId run, bool on);

 private:
  std::vector<ListedRun> runs_;
  QSet<RunId> ticked_;
};

/// "training", "paused", "finished", "failed": the word for a run's state.
QString wordFor(RunSummary::State state);

}  // namespace moe::ui
