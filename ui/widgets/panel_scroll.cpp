#include "ui/widgets/panel_scroll.h"

#include <QEvent>
#include <QScrollBar>

namespace moe::ui {

PanelScroll::PanelScroll(QWidget* content, QWidget* parent) : QScrollArea(parent) {
  setWidgetResizable(true);
  setFrameShape(QFrame::NoFrame);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setWidget(content);
  content->installEventFilter(this);
  fit();
}

bool PanelScroll::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::LayoutRequest) fit();
  return QScrollArea::eventFilter(watched, event);
}

void PanelScroll::fit() {
  setMinimumWidth(widget()->minimumSizeHint().width() + verticalScrollBar()->sizeHint().width());
}

}  // namespace moe::ui
