#pragma once
#include <QWidget>
#include <vector>

#include "core/explain/explanation_token.h"
#include "core/telemetry/snapshot.h"
#include "ui/widgets/figure.h"

namespace moe::ui {

class Theme;

/// One token in every expert layer: a bar for each expert's score, the chosen ones marked with their weights, the margin
/// by which the last of them won, and how undecided the router was. Every number opens how it came about: by a click, or
/// with the arrow keys and Enter.
class TokenDetails : public QWidget, public Figure {
  Q_OBJECT

 public:
  explicit TokenDetails(Theme& theme, QWidget* parent = nullptr);

  /// Null: nothing is chosen. `routers`: how the layers route, where that is known.
  void setToken(const TokenRouting* token, std::int64_t step = 0, std::vector<RouterFacts> routers = {});
  /// What has to be said above the picture; empty: nothing.
  void setCaution(const QString& words);
  QString caution() const { return caution_; }
  /// The sentences beside the bars, a layer each; for tests and screen readers.
  QStringList summaries() const;
  /// Every number of one layer.
  std::vector<TokenExplanation> explanations(std::size_t layer) const;

  QString figureTitle() const override;
  QSize figureSize() const override { return size(); }
  void paintFigure(QPaintDevice& device, QSize size, bool vector) override;
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override;
  QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;

 private:
  /// A word of a layer's lines; `entry`: index in explanations(), -1: none.
  struct Word {
    QString text;
    int entry = -1;
    bool small = false;
    QRect place = {};
  };
  struct Block {
    std::vector<Word> words;
    QRect bars;
    int bottom = 0;
  };
  std::vector<Word> wordsOf(std::size_t layer) const;
  std::vector<Block> blocksFor(int width) const;
  /// Layer and entry under a point; entry -1: nothing to explain there.
  std::pair<int, int> entryAt(const QPoint& point) const;
  void explain(int layer, int entry);
  double fullBar() const;
  void paintAll(QPainter& painter, QSize size) const;
  void paintBars(QPainter& painter, const TokenLayerRouting& layer, const QRect& area) const;
  void arrange();

  Theme& theme_;
  TokenRouting token_;
  std::int64_t step_ = 0;
  std::vector<RouterFacts> routers_;
  QString caution_;
  std::vector<Block> blocks_;  // as it is on the screen
  int layer_ = 0;              // that Enter explains
  bool chosen_ = false;
};

}  // namespace moe::ui
