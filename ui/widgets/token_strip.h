#pragma once
#include <QWidget>
#include <memory>

#include "core/telemetry/snapshot.h"
#include "ui/widgets/figure.h"
#include "ui/widgets/token_layout.h"

namespace moe::ui {

class Theme;

/// A text as chips: each coloured by its first expert in the chosen layer, with the expert's number on it, and below it
/// the same of every layer. Arrow keys walk; the chosen chip is outlined. Dropped tokens are hatched.
class TokenStrip : public QWidget, public Figure {
  Q_OBJECT

 public:
  explicit TokenStrip(Theme& theme, QWidget* parent = nullptr);

  void setRouting(std::shared_ptr<const TextRouting> routing);
  /// Index among the expert layers; one there is.
  void setLayer(int index);
  void setChosen(int token);
  /// What has to be said above the picture; empty: nothing.
  void setCaution(const QString& words);
  QString caution() const { return caution_; }
  int chosen() const { return chosen_; }
  /// First expert of a token in the chosen layer; -1: none.
  int expertOf(int token) const;

  QString figureTitle() const override;
  QSize figureSize() const override { return size(); }
  void paintFigure(QPaintDevice& device, QSize size, bool vector) override;
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override;
  QSize sizeHint() const override;

 Q_SIGNALS:
  void tokenChosen(int token);
  /// Enter on a chip: how its numbers came about.
  void explainWanted();

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;
  bool event(QEvent* event) override;

 private:
  TokenLayout::Metrics metrics() const;
  TokenLayout layoutFor(int width) const;
  void paintAll(QPainter& painter, QSize size) const;
  void paintToken(QPainter& painter, std::size_t token) const;
  void paintLayerLabels(QPainter& painter) const;
  int labelWidth() const;
  QPoint origin() const;
  int heightOf(const TokenLayout& layout) const;
  void arrange();
  void choose(int token);

  Theme& theme_;
  std::shared_ptr<const TextRouting> routing_;
  TokenLayout layout_;
  QString caution_;
  int layer_ = 0, chosen_ = -1;
};

}  // namespace moe::ui
