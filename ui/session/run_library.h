#pragma once
#include <QObject>
#include <functional>
#include <memory>
#include <vector>

#include "core/session/store_thread.h"
#include "core/session/stored_runs.h"

namespace moe::ui {

/// The stored runs, for the pages: asks on the store's thread, answers on the window's. Nothing here waits.
class RunLibrary : public QObject {
  Q_OBJECT

 public:
  /// Hands work to the store's thread: TrainingSession::withStore.
  using Ask = std::function<void(StoreThread::Work, StoreThread::Failed)>;

  explicit RunLibrary(Ask ask, QObject* parent = nullptr);
  ~RunLibrary() override;

  void refresh();                               // -> runsListed
  void read(RunId run);                         // -> runRead
  void rename(RunId run, const QString& name);  // -> runsListed, as all that follow
  void setNote(RunId run, const QString& note);
  void remove(RunId run);
  void setPinned(RunId run, std::int64_t step, bool pinned);
  void saveRun(RunId run, ExportFormat format, const QString& path);  // -> exported

 Q_SIGNALS:
  void runsListed(const std::vector<moe::ListedRun>& runs);
  void runRead(std::shared_ptr<const moe::StoredRun> run);
  void removed(moe::RunId run);
  void exported(const QString& path);
  void problemArrived(const QString& sentence);

 private:
  struct Return;  // the way back to the window's thread; outlives this object
  void ask(StoreThread::Work work);
  void change(std::function<void(RunStore&)> edit);

  Ask ask_;
  std::shared_ptr<Return> return_;
};

}  // namespace moe::ui
