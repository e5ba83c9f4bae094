#include "ui/views/dropped_text.h"

#include <QFileInfo>
#include <QMimeData>
#include <QObject>
#include <QUrl>

#include "ui/widgets/format.h"

namespace moe::ui {

bool mayBeDropped(const QMimeData* data) { return data && data->hasUrls(); }

DroppedText droppedText(const QMimeData* data) {
  const QList<QUrl> urls = data ? data->urls() : QList<QUrl>();
  if (urls.isEmpty()) return {};
  if (urls.size() > 1)
    return {{},
            QObject::tr("Expected one file or folder of text, found %1; put them into one folder and drop that.")
                .arg(grouped(urls.size()))};
  const QUrl& url = urls.front();
  if (!url.isLocalFile())
    return {{},
            QObject::tr("Expected a file or folder of this machine, found %1; save it here first, then drop the file.")
                .arg(shown(url.toString().toStdString()))};
  const QString path = url.toLocalFile();
  const QFileInfo file(path);
  const QString name = shown(path.toStdString());
  if (!file.exists())
    return {{}, QObject::tr("There is no file or folder %1: it may have been moved since it was dragged.").arg(name)};
  if (!file.isFile() && !file.isDir())
    return {{}, QObject::tr("Expected a file or folder of text, found a device or pipe: %1.").arg(name)};
  if (!file.isReadable())
    return {{}, QObject::tr("%1 may not be read; change its permissions, then drop it again.").arg(name)};
  return {path, {}};
}

}  // namespace moe::ui
