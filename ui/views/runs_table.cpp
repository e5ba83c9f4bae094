#include "ui/views/runs_table.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QSettings>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/run_history.h"
#include "ui/models/runs_model.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/grow_dialog.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"
#include "ui/widgets/notices.h"
#include "ui/widgets/save_dialog.h"

namespace moe::ui {

namespace {

const char kColumnsSetting[] = "runs/columns";
/// What is left out first where there is no room.
constexpr RunsModel::Column kDispensable[] = {RunsModel::seed,    RunsModel::disk,      RunsModel::preset,
                                              RunsModel::created, RunsModel::alerts,    RunsModel::state,
                                              RunsModel::note,    RunsModel::parameters};

}  // namespace

RunsTable::RunsTable(const PageContext& context, QWidget* parent)
    : QWidget(parent),
      context_(context),
      model_(new RunsModel(this)),
      sorted_(new QSortFilterProxyModel(this)),
      table_(new QTableView(this)),
      filter_(new QLineEdit(this)),
      summary_(new QLabel(this)) {
  sorted_->setSourceModel(model_);
  sorted_->setSortRole(RunsModel::kSortRole);
  sorted_->setFilterCaseSensitivity(Qt::CaseInsensitive);
  sorted_->setFilterKeyColumn(-1);
  table_->setModel(sorted_);
  table_->setObjectName("runs");
  table_->setSelectionBehavior(QAbstractItemView::SelectRows);
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setEditTriggers(QAbstractItemView::DoubleClicked | QAbstractItemView::EditKeyPressed);
  table_->setAlternatingRowColors(true);
  table_->setShowGrid(false);
  table_->setSortingEnabled(true);
  table_->sortByColumn(RunsModel::created, Qt::DescendingOrder);
  table_->setWordWrap(false);
  table_->verticalHeader()->hide();
  table_->horizontalHeader()->setSectionResizeMode(QHeaderView::Interactive);
  table_->horizontalHeader()->setStretchLastSection(true);
  table_->horizontalHeader()->setHighlightSections(false);
  filter_->setPlaceholderText(tr("Filter by any word: a name, a preset, a note"));
  filter_->setClearButtonEnabled(true);
  filter_->setAccessibleName(tr("Filter the runs"));

  auto* above = new QHBoxLayout;
  above->addWidget(filter_, 1);
  for (QAction* each :
       {action(tr("Open"), tr("Continue this run from its newest checkpoint, paused on the Train page"),
               &RunsTable::openChosen),
        grow_ = action(tr("Grow into experts…"),
                       tr("A new model whose experts are copies or slices of this dense run's networks"),
                       &RunsTable::growChosen),
        action(tr("Export…"), tr("Points, loads and balance of every step as CSV or JSON lines"),
               &RunsTable::exportChosen),
        action(tr("Delete"), tr("Remove the run, its points and its checkpoints from the disk"),
               &RunsTable::deleteChosen)}) {
    auto* button = new QToolButton(this);
    button->setDefaultAction(each);
    button->setFocusPolicy(Qt::TabFocus);
    above->addWidget(button);
    if (each != grow_) needsRun_.push_back(each);
  }
  makeColumnsMenu();
  auto* choose = new QToolButton(this);
  choose->setText(tr("Columns"));
  choose->setToolTip(tr("Which columns are shown"));
  choose->setMenu(columns_);
  choose->setPopupMode(QToolButton::InstantPopup);
  choose->setFocusPolicy(Qt::TabFocus);
  above->addWidget(choose);
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->addLayout(above);
  all->addWidget(table_, 1);
  setFocusProxy(table_);
  all->addWidget(summary_);

  connect(filter_, &QLineEdit::textChanged, sorted_, &QSortFilterProxyModel::setFilterFixedString);
  connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
    enableActions();
    Q_EMIT chosenChanged();
  });
  connect(model_, &QAbstractItemModel::modelReset, this, &RunsTable::enableActions);
  table_->setWhatsThis(tr("Press a number of the chosen run, or Enter on it: how it is computed."));
  connect(table_, &QTableView::pressed, this, [this, last = RunId{0}]() mutable {
    const RunId now = chosen() ? chosen()->summary.id : 0;
    pressed_ = std::exchange(last, now);
  });
  connect(table_, &QTableView::clicked, this, [this] {
    if (chosen() && chosen()->summary.id == pressed_) explainCell();
  });
  connect(&context_.theme, &Theme::changed, this, &RunsTable::fitColumns);
  connect(model_, &RunsModel::renamed, &context_.library, &RunLibrary::rename);
  connect(model_, &RunsModel::noted, &context_.library, &RunLibrary::setNote);
  connect(&context_.library, &RunLibrary::runRead, this, &RunsTable::showGrowing);
  connect(model_, &RunsModel::ticked, this, &RunsTable::ticked);
  connect(&context_.history, &RunHistory::runsChanged, this, [this] {
    model_->setTicked({context_.history.overlays().begin(), context_.history.overlays().end()});
  });
  enableActions();
}

QAction* RunsTable::action(const QString& text, const QString& tip, void (RunsTable::*act)()) {
  auto* made = new QAction(text, this);
  made->setToolTip(tip);
  connect(made, &QAction::triggered, this, act);
  return made;
}

void RunsTable::showRuns(const std::vector<ListedRun>& runs) {
  const bool grown = model_->rowCount() != static_cast<int>(runs.size());
  const RunId before = chosen() ? chosen()->summary.id : 0;
  model_->setRuns(runs);
  if (grown && !runs.empty()) fitColumns();
  if (before != 0 && !chosen()) choose(before);
  summary_->setText(runs.empty() ? tr("No run is stored yet: every model you train appears here by itself.")
                                 : tr("%1, checkpoints take %2 in %3")
                                       .arg(runs.size() == 1 ? tr("1 run") : tr("%1 runs").arg(runs.size()),
                                            bytes(model_->totalBytes()),
                                            QFileInfo(QString::fromStdString(context_.store.string())).path()));
  enableActions();
}

void RunsTable::makeColumnsMenu() {
  columns_ = new QMenu(this);
  for (int column = RunsModel::preset; column < RunsModel::columnCount_; ++column) {
    QAction* shown = columns_->addAction(model_->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString());
    shown->setCheckable(true);
    shown->setData(column);
    connect(shown, &QAction::triggered, this, [this] {
      QStringList hidden;
      for (const QAction* each : columns_->actions())
        if (each->isCheckable() && !each->isChecked()) hidden << each->data().toString();
      context_.settings.setValue(kColumnsSetting, hidden.join(','));
      fitColumns();
    });
  }
  columns_->addSeparator();
  connect(columns_->addAction(tr("As many as fit")), &QAction::triggered, this, [this] {
    context_.settings.remove(kColumnsSetting);
    fitColumns();
  });
}

void RunsTable::fitColumns() {
  for (int column = 0; column < RunsModel::columnCount_; ++column) table_->setColumnHidden(column, false);
  table_->resizeColumnsToContents();
  // Numbers grow while a run trains, and the sort mark takes room in the header.
  const QFontMetrics metrics = table_->fontMetrics();
  int all = 0;
  for (int column = 0; column < RunsModel::columnCount_; ++column) {
    int wide = table_->columnWidth(column) + metrics.horizontalAdvance("00");
    if (column == RunsModel::step) wide = std::max(wide, metrics.horizontalAdvance("00,000 / 00,000") + 12);
    if (column == RunsModel::name || column == RunsModel::note) wide = std::min(wide, 30 * metrics.averageCharWidth());
    table_->setColumnWidth(column, wide);
    all += wide;
  }
  if (context_.settings.contains(kColumnsSetting)) {
    for (const QString& column : context_.settings.value(kColumnsSetting).toString().split(',', Qt::SkipEmptyParts))
      if (const int index = column.toInt(); index > RunsModel::name && index < RunsModel::columnCount_)
        table_->setColumnHidden(index, true);
  } else {
    for (const int column : kDispensable) {
      if (all <= table_->viewport()->width()) break;
      all -= table_->columnWidth(column);
      table_->setColumnHidden(column, true);
    }
  }
  for (QAction* each : columns_->actions())
    if (each->isCheckable()) each->setChecked(!table_->isColumnHidden(each->data().toInt()));
}

void RunsTable::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  if (model_->rowCount() > 0)
    QMetaObject::invokeMethod(this, &RunsTable::fitColumns, Qt::QueuedConnection);  // once the table has its new width
}

bool RunsTable::explainCell() {
  const QModelIndex cell = table_->currentIndex();
  if (!cell.isValid()) return false;
  const QModelIndex source = sorted_->mapToSource(cell);
  const QRect place = table_->visualRect(cell);
  return ExplainPopover::open(context_.theme, this, table_->viewport()->mapToGlobal(place.bottomLeft()),
                              model_->explanations(source.row(), source.column())) != nullptr;
}

std::optional<ListedRun> RunsTable::chosen() const {
  const QModelIndexList rows = table_->selectionModel()->selectedRows();
  if (rows.isEmpty()) return std::nullopt;
  return model_->at(sorted_->mapToSource(rows.front()).row());
}

void RunsTable::choose(RunId run) {
  const int row = model_->rowOf(run);
  if (row >= 0) table_->selectRow(sorted_->mapFromSource(model_->index(row, 0)).row());
}

void RunsTable::tick(RunId run) { Q_EMIT ticked(run, true); }

void RunsTable::enableActions() {
  const std::optional<ListedRun> run = chosen();
  for (QAction* each : needsRun_) each->setEnabled(run.has_value());
  grow_->setEnabled(run && canGrow(*run));
}

void RunsTable::openChosen() {
  if (const std::optional<ListedRun> run = chosen()) context_.session.post(command::Open{.run = run->summary.id});
}

void RunsTable::growChosen() {
  const std::optional<ListedRun> run = chosen();
  if (!run) return;
  growing_ = run->summary.id;
  context_.library.read(growing_);
}

void RunsTable::showGrowing(std::shared_ptr<const StoredRun> run) {
  if (run->summary.id != growing_) return;
  growing_ = 0;
  if (run->checkpoints.empty()) return;
  auto* dialog = new GrowDialog(context_, std::move(run), this);
  dialog->open();
}

void RunsTable::exportChosen() {
  const std::optional<ListedRun> run = chosen();
  if (!run) return;
  const QString path = askWhereToSave(this, tr("Export run"), shown(run->summary.name),
                                      {{tr("CSV"), "csv"}, {tr("JSON lines"), "jsonl"}});
  if (path.isEmpty()) return;
  context_.library.saveRun(
      run->summary.id, path.endsWith(".jsonl", Qt::CaseInsensitive) ? ExportFormat::jsonl : ExportFormat::csv, path);
}

void RunsTable::deleteChosen() {
  const std::optional<ListedRun> run = chosen();
  if (!run) return;
  const RunId id = run->summary.id;
  const QString name = shown(run->summary.name);
  const SessionStatus& status = context_.session.status();
  if (id == status.run || id == status.twin)
    return context_.notices.show(
        Notices::Kind::problem,
        tr("“%1” is on the Train page. Start or open another run first, then delete it.").arg(name), {}, "delete");
  context_.notices.show(Notices::Kind::note,
                        tr("Delete “%1” with its points and %2 of checkpoints? This cannot be undone.")
                            .arg(name, bytes(run->checkpointBytes)),
                        {{tr("Delete"), [this, id] { context_.library.remove(id); }}}, "delete");
}

void RunsTable::copyTable() {
  QString text;
  for (int row = -1; row < sorted_->rowCount(); ++row) {
    QStringList cells;
    for (int column = 0; column < sorted_->columnCount(); ++column)
      cells << (row < 0 ? sorted_->headerData(column, Qt::Horizontal, Qt::DisplayRole)
                        : sorted_->index(row, column).data())
                   .toString()
                   .replace('\t', ' ')
                   .replace('\n', ' ');
    text += cells.join('\t') + '\n';
  }
  QApplication::clipboard()->setText(text);
}

void RunsTable::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Copy)) return copyTable();
  if (event->matches(QKeySequence::Delete)) return deleteChosen();
  if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && table_->hasFocus()) {
    if (!explainCell()) openChosen();
    return;
  }
  QWidget::keyPressEvent(event);
}

}  // namespace moe::ui
