#include "ui/widgets/figure.h"

#include <QBuffer>
#include <QClipboard>
#include <QGuiApplication>
#include <QMenu>
#include <QMessageBox>
#include <QPageLayout>
#include <QPdfWriter>
#include <QSvgGenerator>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "ui/widgets/save_dialog.h"

namespace moe::ui {

namespace {

constexpr int kDpi = 96;  // one unit of a vector file is one px of the screen

QByteArray encoded(Figure& figure, const QString& ending) {
  QByteArray bytes;
  QBuffer buffer(&bytes);
  buffer.open(QIODevice::WriteOnly);
  const QSize size = figure.figureSize();
  if (ending == "png") {
    if (!pictureOf(figure).save(&buffer, "PNG")) throw Error("figure", "the picture could not be encoded as PNG");
  } else if (ending == "svg") {
    QSvgGenerator svg;
    svg.setOutputDevice(&buffer);
    svg.setResolution(kDpi);
    svg.setSize(size);
    svg.setViewBox(QRect(QPoint(), size));
    svg.setTitle(figure.figureTitle());
    figure.paintFigure(svg, size, true);
  } else if (ending == "pdf") {
    QPdfWriter pdf(&buffer);
    pdf.setResolution(kDpi);
    pdf.setTitle(figure.figureTitle());
    pdf.setCreator("Switchyard");
    pdf.setPageMargins(QMarginsF(0, 0, 0, 0));
    pdf.setPageSize(QPageSize(QSizeF(size) * 72.0 / kDpi, QPageSize::Point, {}, QPageSize::ExactMatch));
    figure.paintFigure(pdf, size, true);
  } else {
    throw Error("figure", "expected a name that ends in .png, .svg or .pdf, found ." + ending.toStdString());
  }
  return bytes;
}

}  // namespace

QImage pictureOf(Figure& figure, double scale) {
  const QSize size = figure.figureSize();
  QImage image(size * scale, QImage::Format_ARGB32_Premultiplied);
  image.setDevicePixelRatio(scale);
  figure.paintFigure(image, size, false);
  return image;
}

void copyFigure(Figure& figure) { QGuiApplication::clipboard()->setImage(pictureOf(figure)); }

void saveFigure(Figure& figure, const QString& path) {
  const QByteArray bytes = encoded(figure, path.section('.', -1).toLower());
  writeFileAtomically("figure", path.toStdString(),
                      std::string_view(bytes.constData(), static_cast<std::size_t>(bytes.size())));
}

void saveFigureAs(Figure& figure, QWidget* parent) {
  const QString path = askWhereToSave(
      parent, QObject::tr("Save picture"), figure.figureTitle(),
      {{QObject::tr("PNG picture"), "png"}, {QObject::tr("SVG drawing"), "svg"}, {QObject::tr("PDF document"), "pdf"}});
  if (path.isEmpty()) return;
  try {
    saveFigure(figure, path);
  } catch (const Error& error) {
    QMessageBox::warning(parent, QObject::tr("Save picture"), QString::fromUtf8(error.what()));
  }
}

void addFigureActions(QMenu& menu, Figure& figure, QWidget* parent) {
  QObject::connect(menu.addAction(QObject::tr("&Copy picture")), &QAction::triggered, parent,
                   [&figure] { copyFigure(figure); });
  QObject::connect(menu.addAction(QObject::tr("&Save picture as…")), &QAction::triggered, parent,
                   [&figure, parent] { saveFigureAs(figure, parent); });
}

}  // namespace moe::ui
