#pragma once
#include <QWidget>
#include <vector>

#include "ui/views/page_context.h"

namespace moe::ui {

// What the window is made of. To add a page or panel: one file of its own, one line in pages.cpp.
// A page may put actions into the window's menus: addAction() on itself, with the action's property "menu" set to
// "File", "Edit", "View", "Run" or "Help".

/// One question answered; in the navigation at the left, in this order.
struct PageEntry {
  const char* id;  // "train"; also the name of its picture
  const char* title;
  const char* question;  // tooltip: what the page is for
  QWidget* (*make)(const PageContext& context, QWidget* parent);
};
const std::vector<PageEntry>& pages();

/// A dock widget on the Train page.
struct PanelEntry {
  const char* id;
  const char* title;
  Qt::DockWidgetArea area;
  QWidget* (*make)(const PageContext& context, QWidget* parent);
};
const std::vector<PanelEntry>& panels();

}  // namespace moe::ui
