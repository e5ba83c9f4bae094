#pragma once
#include <QString>

class QMimeData;

namespace moe::ui {

/// What a drop offers to train on: a file or folder of this machine, or a sentence of why nothing of it can be taken.
/// Both empty: there was nothing in it, as of a program that ended while the pointer was on its way.
struct DroppedText {
  QString path;
  QString problem;
};
DroppedText droppedText(const QMimeData* data);

/// Whether a drag is worth a look when it is dropped: files, of whatever kind.
bool mayBeDropped(const QMimeData* data);

}  // namespace moe::ui
