#include "ui/session/run_library.h"

#include <QMetaObject>
#include <mutex>
namespace moe::ui {

namespace {
constexpr std::int64_t kPointsDrawn = 20'000;  // more than any screen has columns, with each stretch's extremes kept
}

struct RunLibrary::Return {
  std::mutex mutex;  // guards library: work may outlive it
  RunLibrary* library = nullptr;

  void call(std::function<void(RunLibrary&)> answer) {
    const std::lock_guard lock(mutex);
    if (library)
      QMetaObject::invokeMethod(
          library, [this, answer = std::move(answer)] { answer(*library); }, Qt::QueuedConnection);
  }
};

RunLibrary::RunLibrary(Ask ask, QObject* parent)
    : QObject(parent), ask_(std::move(ask)), return_(std::make_shared<Return>()) {
  return_->library = this;
}

RunLibrary::~RunLibrary() {
  const std::lock_guard lock(return_->mutex);
  return_->library = nullptr;
}

void RunLibrary::ask(StoreThread::Work work) {
  ask_(std::move(work), [back = return_](const std::string& sentence) {
    back->call([sentence](RunLibrary& library) { Q_EMIT library.problemArrived(QString::fromStdString(sentence)); });
  });
}

void RunLibrary::refresh() {
  ask([back = return_](RunStore& store) {
    back->call([runs = listRuns(store)](RunLibrary& library) { Q_EMIT library.runsListed(runs); });
  });
}

void RunLibrary::read(RunId run) {
  if (run <= 0) return;  // not recorded
  ask([back = return_, run](RunStore& store) {
    back->call([read = std::make_shared<const StoredRun>(readRun(store, run, kPointsDrawn))](RunLibrary& library) {
      Q_EMIT library.runRead(read);
    });
  });
}

void RunLibrary::change(std::function<void(RunStore&)> edit) {
  ask([edit = std::move(edit)](RunStore& store) { edit(store); });
  refresh();
}

void RunLibrary::rename(RunId run, const QString& name) {
  change([run, name = name.toStdString()](RunStore& store) { store.setName(run, name); });
}

void RunLibrary::setNote(RunId run, const QString& note) {
  change([run, note = note.toStdString()](RunStore& store) { store.setNote(run, note); });
}

void RunLibrary::setPinned(RunId run, std::int64_t step, bool pinned) {
  change([=](RunStore& store) { store.setPinned(run, step, pinned); });
}

void RunLibrary::remove(RunId run) {
  change([back = return_, run](RunStore& store) {
    deleteRun(store, run);
    back->call([run](RunLibrary& library) { Q_EMIT library.removed(run); });
  });
}

void RunLibrary::saveRun(RunId run, ExportFormat format, const QString& path) {
  ask([back = return_, run, format, path](RunStore& store) {
    exportRun(store, run, format, std::filesystem::path(path.toStdString()));
    back->call([path](RunLibrary& library) { Q_EMIT library.exported(path); });
  });
}

}  // namespace moe::ui
