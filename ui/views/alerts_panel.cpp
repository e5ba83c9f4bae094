#include "ui/views/alerts_panel.h"

#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/run_history.h"
#include "ui/models/selection.h"
#include "ui/theme/theme.h"
#include "ui/views/alert_row.h"
#include "ui/widgets/card.h"

namespace moe::ui {

AlertsPanel::AlertsPanel(const PageContext& context, QWidget* parent)
    : QWidget(parent), context_(context), list_(new QVBoxLayout) {
  hint_ = new EmptyHint(context.theme,
                        tr("No expert is dying. One that gets less than 5 % of its fair share over the last 50 steps "
                           "is named here, with remedies. To see it happen, start the preset \"collapse\"."),
                        this);
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(6, 4, 6, 4);
  all->addWidget(hint_);
  all->addLayout(list_);
  all->addStretch(1);
  list_->setSpacing(5);
  connect(&context.history, &RunHistory::alertsChanged, this, &AlertsPanel::showAlerts);
  showAlerts();
}

void AlertsPanel::showAlerts() {
  std::vector<Alert> alerts = context_.history.alerts();
  std::sort(alerts.begin(), alerts.end(),
            [](const Alert& a, const Alert& b) { return std::pair(a.layer, a.expert) < std::pair(b.layer, b.expert); });
  const auto fits = [](const AlertRow* row, const Alert& alert) {
    return row->alert().run == alert.run && row->alert().layer == alert.layer && row->alert().expert == alert.expert;
  };
  // Rows stay who they are while their numbers run, so that a button is not taken away under the pointer.
  std::vector<AlertRow*> kept;
  for (AlertRow* row : rows_) {
    if (std::any_of(alerts.begin(), alerts.end(), [&](const Alert& alert) { return fits(row, alert); })) {
      kept.push_back(row);
    } else {
      list_->removeWidget(row);
      row->hide();
      row->deleteLater();
    }
  }
  rows_.clear();
  for (std::size_t i = 0; i < alerts.size(); ++i) {
    const auto found =
        std::find_if(kept.begin(), kept.end(), [&](const AlertRow* row) { return fits(row, alerts[i]); });
    AlertRow* row = found != kept.end() ? *found : nullptr;
    if (row) {
      row->setAlert(alerts[i]);
    } else {
      row = new AlertRow(context_, alerts[i], this);
      connect(row, &AlertRow::chosen, this, &AlertsPanel::open);
      list_->insertWidget(static_cast<int>(i), row);
    }
    rows_.push_back(row);
  }
  const bool openStands = std::any_of(rows_.begin(), rows_.end(), [&](const AlertRow* row) {
    return row->alert().layer == openLayer_ && row->alert().expert == openExpert_;
  });
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Alert& alert = rows_[i]->alert();
    rows_[i]->setOpen(openStands ? alert.layer == openLayer_ && alert.expert == openExpert_ : i == 0);
  }
  hint_->setVisible(rows_.empty());
}

void AlertsPanel::open(int layer, int expert) {
  openLayer_ = layer;
  openExpert_ = expert;
  for (AlertRow* row : rows_) row->setOpen(row->alert().layer == layer && row->alert().expert == expert);
  Place place = context_.selection.place();
  for (const AlertRow* row : rows_)
    if (row->alert().layer == layer && row->alert().expert == expert)
      place.run = row->alert().run, place.step = row->alert().since;
  place.layer = layer;
  place.expert = expert;
  context_.selection.set(place);
}

QWidget* makeAlertsPanel(const PageContext& context, QWidget* parent) { return new AlertsPanel(context, parent); }

}  // namespace moe::ui
