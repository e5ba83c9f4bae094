#pragma once
#include <QWidget>
#include <functional>
#include <map>

#include "core/session/training_session.h"
#include "ui/models/run_history.h"
#include "ui/views/page_context.h"

class QFormLayout;
class QLabel;
class QListWidget;

namespace moe::ui {

class EmptyHint;

/// What the run is made of, and what happened to it.
class ThisRunPanel : public QWidget {
  Q_OBJECT

 public:
  explicit ThisRunPanel(const PageContext& context, QWidget* parent = nullptr);
  /// The value beside a name, for tests: "total", "active", "flops", "memory", "seed" ...
  QString fact(const QString& id) const;
  QListWidget& events() const { return *events_; }
  /// How that number came about; empty: it is no computed one.
  std::vector<Explanation> explanations(const QString& id) const;

 private:
  /// `source` absent: the fact is no computed number.
  void addFact(const QString& id, const QString& name, const QString& tip,
               std::function<std::vector<Explanation>(const RunHistory::Run&, const StepPoint&)> source = {});
  /// The newest point of the main run; an empty one before the first.
  StepPoint newest() const;
  /// The newest with the gradients of balance terms and language loss both.
  StepPoint balancerPoint() const;
  void showBalance();
  void follow(const SessionStatus& status);
  void showEvents();
  void dress();

  PageContext context_;
  EmptyHint* hint_;
  QWidget* facts_;
  QFormLayout* form_;
  std::map<QString, QLabel*> values_;
  QListWidget* events_;
};

QWidget* makeThisRunPanel(const PageContext& context, QWidget* parent);

}  // namespace moe::ui
