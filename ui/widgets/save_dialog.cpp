#include "ui/widgets/save_dialog.h"

#include <QFileDialog>

namespace moe::ui {

QString askWhereToSave(QWidget* parent, const QString& title, const QString& name,
                       const std::vector<SavedKind>& kinds) {
  QFileDialog dialog(parent, title);
  dialog.setAcceptMode(QFileDialog::AcceptSave);
  dialog.setFileMode(QFileDialog::AnyFile);
  QStringList filters;
  for (const SavedKind& kind : kinds) filters << QString("%1 (*.%2)").arg(kind.words, kind.ending);
  dialog.setNameFilters(filters);
  // The ending is part of the name before the dialog asks whether to overwrite: it asks about the file that will be written.
  const auto follow = [&] {
    dialog.setDefaultSuffix(
        kinds[static_cast<std::size_t>(std::max<qsizetype>(0, filters.indexOf(dialog.selectedNameFilter())))].ending);
  };
  QObject::connect(&dialog, &QFileDialog::filterSelected, &dialog, follow);
  follow();
  dialog.selectFile(QString(name).replace('/', '-') + '.' + kinds.front().ending);
  if (dialog.exec() != QDialog::Accepted) return {};
  return dialog.selectedFiles().value(0);
}

}  // namespace moe::ui
