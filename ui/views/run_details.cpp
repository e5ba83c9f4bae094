#include "ui/views/run_details.h"

#include <QHeaderView>
#include <QPlainTextEdit>
#include <QTabWidget>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "ui/models/run_marks.h"
#include "ui/session/run_library.h"
#include "ui/widgets/card.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

QTreeWidget* list(const QStringList& headers, QWidget* parent) {
  auto* tree = new QTreeWidget(parent);
  tree->setHeaderLabels(headers);
  tree->setRootIsDecorated(false);
  tree->setAlternatingRowColors(true);
  tree->setUniformRowHeights(true);
  tree->header()->setStretchLastSection(true);
  return tree;
}

/// The stored text laid out for reading; as it is, where it cannot be read.
QString readable(const std::string& json) {
  std::string problem;
  const nlohmann::json parsed = parseStrictJson(json, kDeepestJson, problem);
  return QString::fromStdString(problem.empty() ? parsed.dump(2) : json);
}

}  // namespace

RunDetails::RunDetails(const PageContext& context, QWidget* parent)
    : QWidget(parent),
      context_(context),
      tabs_(new QTabWidget(this)),
      events_(list({tr("Step"), tr("What happened")}, this)),
      checkpoints_(list({tr("Keep"), tr("Step"), tr("Health"), tr("Size"), tr("Folder")}, this)),
      configuration_(new QPlainTextEdit(this)),
      hint_(new EmptyHint(context.theme,
                          tr("Choose a run in the list: its events, checkpoints and configuration appear here."),
                          this)) {
  configuration_->setReadOnly(true);
  configuration_->setLineWrapMode(QPlainTextEdit::NoWrap);
  configuration_->setFont(QFont("monospace"));
  tabs_->addTab(events_, tr("Events"));
  tabs_->addTab(checkpoints_, tr("Checkpoints"));
  tabs_->addTab(configuration_, tr("First configuration"));
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->addWidget(hint_, 1);
  all->addWidget(tabs_, 1);
  connect(checkpoints_, &QTreeWidget::itemChanged, this, [this](QTreeWidgetItem* item, int column) {
    if (column == 0 && run_)
      context_.library.setPinned(run_->summary.id, item->data(0, Qt::UserRole).toLongLong(),
                                 item->checkState(0) == Qt::Checked);
  });
  show(nullptr);
}

void RunDetails::show(std::shared_ptr<const StoredRun> run) {
  run_ = std::move(run);
  fillEvents();
  fillCheckpoints();
  configuration_->setPlainText(run_ ? readable(run_->summary.config) : QString());
  hint_->setVisible(run_ == nullptr);
  tabs_->setVisible(run_ != nullptr);
}

void RunDetails::fillEvents() {
  events_->clear();
  if (!run_) return;
  for (const RunEvent& event : run_->events) new QTreeWidgetItem(events_, {grouped(event.step), sentenceOf(event)});
  events_->resizeColumnToContents(0);
}

void RunDetails::fillCheckpoints() {
  const QSignalBlocker quiet(checkpoints_);
  checkpoints_->clear();
  if (!run_) return;
  for (const CheckpointRow& row : run_->checkpoints) {
    auto* item = new QTreeWidgetItem(checkpoints_, {QString(), grouped(row.step),
                                                    row.healthy ? tr("healthy") : tr("alert stood, or loss not finite"),
                                                    bytes(row.bytes), QString::fromStdString(row.path)});
    item->setData(0, Qt::UserRole, QVariant::fromValue(static_cast<qlonglong>(row.step)));
    item->setCheckState(0, row.pinned ? Qt::Checked : Qt::Unchecked);
    item->setToolTip(0, tr("Kept even when newer ones come"));
  }
  for (int column = 0; column < 4; ++column) checkpoints_->resizeColumnToContents(column);
}

}  // namespace moe::ui
