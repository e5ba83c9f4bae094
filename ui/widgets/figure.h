#pragma once
#include <QImage>
#include <QSize>
#include <QString>

class QMenu;
class QPaintDevice;
class QWidget;

namespace moe::ui {

/// Something that can be painted at any size on any device: copied, or saved as PNG, SVG or PDF.
class Figure {
 public:
  virtual ~Figure() = default;
  virtual QString figureTitle() const = 0;
  virtual QSize figureSize() const = 0;  // as it is on the screen, px
  /// Paints ground and all, filling (0, 0)..size. `vector`: the device keeps shapes, so nothing is made of pixels.
  virtual void paintFigure(QPaintDevice& device, QSize size, bool vector) = 0;
};

QImage pictureOf(Figure& figure, double scale = 2);
void copyFigure(Figure& figure);
/// The ending chooses: .png, .svg, .pdf. Written whole or not at all; throws Error("figure").
void saveFigure(Figure& figure, const QString& path);
/// Asks for a file and saves; a failure is told in a box, with the reason.
void saveFigureAs(Figure& figure, QWidget* parent);
/// "Copy picture" and "Save picture as…".
void addFigureActions(QMenu& menu, Figure& figure, QWidget* parent);

}  // namespace moe::ui
