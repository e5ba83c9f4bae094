#pragma once
#include <QWidget>
#include <vector>

class QVBoxLayout;

namespace moe::ui {

class StageCard;
class Theme;

/// The line a token travels: cards one below the other, and beside them a rail with a station for each.
class StageTrack : public QWidget {
  Q_OBJECT

 public:
  explicit StageTrack(Theme& theme, QWidget* parent = nullptr);
  void add(StageCard* card);
  const std::vector<StageCard*>& cards() const { return cards_; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void dress();

  Theme& theme_;
  QVBoxLayout* column_;
  std::vector<StageCard*> cards_;
};

}  // namespace moe::ui
