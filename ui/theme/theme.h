#pragma once
#include <QColor>
#include <QFont>
#include <QObject>
#include <QPalette>

namespace moe::ui {

/// Every colour of the window that is not data. One set for light, one for dark; text on its ground has a contrast of at
/// least 4.5 to 1.
struct Colours {
  QColor window, base, raised, border;  // grounds from back to front, and the line between them
  QColor text, muted;                   // words, and words of less weight
  QColor accent, onAccent;              // what can be pressed or is chosen
  QColor good, warning, danger;
  QColor grid;  // lines inside plots
};

/// Colours, fonts and line widths of the whole window. Made once in main() and passed down; views repaint on changed().
class Theme : public QObject {
  Q_OBJECT

 public:
  enum class Mode { system, light, dark };
  enum class Size { small, normal, large };
  enum class Curve { train, validation, twin, twinValidation, aux, speed };

  explicit Theme(QObject* parent = nullptr);

  Mode mode() const { return mode_; }
  bool dark() const { return dark_; }
  bool presenter() const { return presenter_; }
  void setMode(Mode mode);
  /// For a lecture hall: text of at least 20 pt, axis text 18 pt, lines 3 px.
  void setPresenter(bool presenter);

  const Colours& colours() const { return colours_; }
  QFont font(Size size = Size::normal) const;
  QFont axisFont() const;
  double lineWidth() const { return presenter_ ? 3.0 : 1.6; }
  /// Distance between things that belong together, px.
  int gap() const { return presenter_ ? 10 : 6; }
  QColor curve(Curve curve) const;
  /// Curves of overlaid runs, in the order they were added.
  QColor overlay(int index) const;
  QColor layer(int index, int count) const;
  QPalette palette() const;
  QString styleSheet() const;
  /// Sets style, palette, font and style sheet of the application.
  void apply();

 Q_SIGNALS:
  void changed();

 private:
  void choose();

  Mode mode_ = Mode::system;
  bool systemDark_ = false, dark_ = false, presenter_ = false;
  QFont platformFont_;
  Colours colours_;
};

}  // namespace moe::ui
