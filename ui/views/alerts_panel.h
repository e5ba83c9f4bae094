#pragma once
#include <QWidget>
#include <vector>

#include "ui/views/page_context.h"

class QLabel;
class QVBoxLayout;

namespace moe::ui {

class AlertRow;
class EmptyHint;

/// The experts that are dying: where, since when, how little they get, and what can be done about it.
class AlertsPanel : public QWidget {
  Q_OBJECT

 public:
  explicit AlertsPanel(const PageContext& context, QWidget* parent = nullptr);
  const std::vector<AlertRow*>& rows() const { return rows_; }

 private:
  void showAlerts();
  void open(int layer, int expert);

  PageContext context_;
  EmptyHint* hint_;
  QVBoxLayout* list_;
  std::vector<AlertRow*> rows_;
  int openLayer_ = -1, openExpert_ = -1;  // whose remedies are shown; -1: the first's
};

QWidget* makeAlertsPanel(const PageContext& context, QWidget* parent);

}  // namespace moe::ui
