#pragma once
#include <QWidget>

#include "core/telemetry/snapshot.h"
#include "ui/widgets/figure.h"

namespace moe::ui {

class Theme;

/// One token in every expert layer: a bar for each expert's score, the chosen ones marked with their weights, and the
/// margin by which the last of them won.
class TokenDetails : public QWidget, public Figure {
  Q_OBJECT

 public:
  explicit TokenDetails(Theme& theme, QWidget* parent = nullptr);

  /// Null: nothing is chosen.
  void setToken(const TokenRouting* token);
  /// The sentences beside the bars, a layer each; for tests and screen readers.
  QStringList summaries() const;

  QString figureTitle() const override;
  QSize figureSize() const override { return size(); }
  void paintFigure(QPaintDevice& device, QSize size, bool vector) override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;

 private:
  QString summaryOf(const TokenLayerRouting& layer) const;
  int layerHeight() const;
  void paintAll(QPainter& painter, QSize size) const;
  void paintLayer(QPainter& painter, const TokenLayerRouting& layer, const QRect& rect) const;
  void arrange();

  Theme& theme_;
  TokenRouting token_;
  bool chosen_ = false;
};

}  // namespace moe::ui
