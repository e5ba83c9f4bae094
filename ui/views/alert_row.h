#pragma once
#include <QFrame>
#include <optional>

#include "core/telemetry/points.h"
#include "core/train/run_config.h"
#include "ui/views/page_context.h"

class QPushButton;

namespace moe::ui {

class ExplainedLabel;

/// A knob change that may bring an expert back.
struct Remedy {
  QString label, why;
  std::string path, value;  // value: JSON text
};
/// What helps a run of this configuration: a stronger aux term, and bias balancing where it is off.
std::vector<Remedy> remediesFor(const RunConfig& config);

/// One alert; opened, it offers the remedies.
class AlertRow : public QFrame {
  Q_OBJECT

 public:
  AlertRow(const PageContext& context, const Alert& alert, QWidget* parent);
  const Alert& alert() const { return alert_; }
  void setAlert(const Alert& alert);
  void setOpen(bool open);
  QString words() const;
  /// The line with the numbers; it can be asked how they came about.
  ExplainedLabel& numbers() const { return *words_; }
  QList<QPushButton*> remedies() const;

 Q_SIGNALS:
  void chosen(int layer, int expert);

 private:
  void buildRemedies();
  void dress();

  PageContext context_;
  Alert alert_;
  QPushButton* title_;
  ExplainedLabel* words_;
  QWidget* remedies_;
  std::optional<RunConfig> offeredFor_;
};

}  // namespace moe::ui
