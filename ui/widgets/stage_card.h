#pragma once
#include <QFrame>

class QBoxLayout;
class QLabel;
class QToolButton;
class QVBoxLayout;

namespace moe::ui {

class Theme;

/// A station that a token passes: closed it says what is chosen and by which formula; one press opens its settings.
class StageCard : public QFrame {
  Q_OBJECT

 public:
  StageCard(Theme& theme, const QString& title, const QString& tooltip, QWidget* parent = nullptr);

  void setSummary(const QString& choice, const QString& formula);
  /// Waiting changes and problems show on the closed card too.
  void setMarks(bool pending, bool problem);
  void setNote(const QString& sentence);
  QVBoxLayout* body() const { return body_; }
  QToolButton* header() const { return header_; }
  bool open() const;
  void setOpen(bool open);
  QString choice() const;
  QString formula() const;
  QString note() const;
  /// Middle of the title line, in the card's coordinates: where the line of the pipeline stops.
  int station() const;

 Q_SIGNALS:
  void toggled();

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void dress();

  Theme& theme_;
  QBoxLayout* line_;  // title and choice: side by side, one below the other in a lecture hall
  QToolButton* header_;
  QLabel *choice_, *formula_, *note_;
  QWidget* inside_;
  QVBoxLayout* body_;
  bool pending_ = false, problem_ = false;
};

}  // namespace moe::ui
