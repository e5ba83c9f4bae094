#pragma once
#include <QFrame>
#include <QLabel>
#include <functional>
#include <vector>

#include "core/explain/explanation.h"

namespace moe::ui {

class Theme;

/// Says how a number came about: its formula, and the same with the present values in it. Up and Down walk through the
/// numbers that stand together, Ctrl+C copies, Escape or a click elsewhere closes.
class ExplainPopover : public QFrame {
  Q_OBJECT

 public:
  /// Opens it under a point of the screen; nothing where there is nothing to explain. It deletes itself when closed.
  static ExplainPopover* open(Theme& theme, QWidget* owner, const QPoint& at, std::vector<Explanation> all,
                              int first = 0);

  const Explanation& shown() const { return all_[static_cast<std::size_t>(index_)]; }
  int count() const { return static_cast<int>(all_.size()); }
  void walk(int by);

 protected:
  void keyPressEvent(QKeyEvent* event) override;

 private:
  ExplainPopover(Theme& theme, QWidget* owner, std::vector<Explanation> all, int first);
  void fill();
  QString text() const;

  const std::vector<Explanation> all_;
  int index_ = 0;
  QLabel *name_, *place_, *formula_, *values_, *meaning_;
};

/// A label whose number can be asked about: by a click, or Enter where the keyboard stands on it.
class ExplainedLabel : public QLabel {
  Q_OBJECT

 public:
  ExplainedLabel(Theme& theme, QWidget* parent = nullptr);
  /// What the number is now; asked when it is opened.
  void setSource(std::function<std::vector<Explanation>()> source) { source_ = std::move(source); }
  std::vector<Explanation> explanations() const { return source_ ? source_() : std::vector<Explanation>{}; }
  void explain();

 protected:
  void keyPressEvent(QKeyEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  Theme& theme_;
  std::function<std::vector<Explanation>()> source_;
};

}  // namespace moe::ui
