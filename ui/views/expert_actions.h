#pragma once

class QDialog;
class QMenu;
class QWidget;

namespace moe::ui {

struct PageContext;

/// What may be done with one expert of the run on screen: hold it still, remove it, add others.
void addExpertActions(QMenu& menu, const PageContext& context, int layer, int expert, QWidget* parent);

/// Asks how many experts to add, where and from what. Opens beside the window and deletes itself.
QDialog* showExpertsDialog(const PageContext& context, int layer, QWidget* parent);

}  // namespace moe::ui
