#pragma once
#include <QString>
#include <utility>
#include <vector>

class QWidget;

namespace moe::ui {

/// A kind of file that can be saved: what the dialog calls it, and the ending its names have.
struct SavedKind {
  QString words;   // "PNG picture"
  QString ending;  // "png"
};

/// Asks where to save. The path that comes back has an ending, that of the kind chosen where the person gave none, and was
/// confirmed where a file of that very name is there already. Empty: nothing is saved.
QString askWhereToSave(QWidget* parent, const QString& title, const QString& name, const std::vector<SavedKind>& kinds);

}  // namespace moe::ui
