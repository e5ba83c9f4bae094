#pragma once
#include <QScrollArea>

namespace moe::ui {

/// Scrolls its content up and down only: never narrower than the content needs, so that nothing is cut at the side.
class PanelScroll : public QScrollArea {
  Q_OBJECT

 public:
  explicit PanelScroll(QWidget* content, QWidget* parent = nullptr);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void fit();
};

}  // namespace moe::ui
