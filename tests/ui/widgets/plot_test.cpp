#include "ui/widgets/plot.h"

#include <QApplication>
#include <QContextMenuEvent>
#include <QMenu>
#include <QTimer>

#include "tests/support/register.h"
#include "ui/theme/theme.h"
#include "ui/widgets/time_axis.h"

using namespace moe::ui;

class PlotTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void nothingIsMirroredWhereTheLanguageRunsRightToLeft() {
    Theme theme;
    TimeAxis time;
    const auto pictureOf = [&](Qt::LayoutDirection direction) {
      QApplication::setLayoutDirection(direction);
      Plot plot(theme, time, "Loss", "nats / token");
      plot.setCaution("sees later tokens");
      plot.resize(400, 300);
      plot.show();
      QTest::qWait(100);  // drawn
      const QImage picture = plot.grab().toImage();
      QApplication::setLayoutDirection(Qt::LeftToRight);
      return picture;
    };
    QCOMPARE(pictureOf(Qt::RightToLeft), pictureOf(Qt::LeftToRight));
  }
  void aRightClickOpensTheMenuAnywhereInAPlot() {
    Theme theme;
    TimeAxis time;
    Plot plot(theme, time, "Loss", "nats / token");
    plot.resize(400, 300);
    plot.show();
    QWidget* curves = nullptr;
    for (QWidget* child : plot.findChildren<QWidget*>())
      if (qstrcmp(child->metaObject()->className(), "QCustomPlot") == 0) curves = child;
    QVERIFY(curves);
    for (QWidget* place : {static_cast<QWidget*>(&plot), curves}) {
      bool opened = false;
      QTimer::singleShot(50, &plot, [&] {
        auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
        if (!menu) return;
        opened = menu->actions().size() >= 4;
        menu->close();
      });
      const QPoint at(place->rect().center());
      QContextMenuEvent press(QContextMenuEvent::Mouse, at, place->mapToGlobal(at));
      QApplication::sendEvent(place, &press);
      QTRY_VERIFY(opened);
    }
  }
};

SWITCHYARD_TEST(PlotTest)
#include "plot_test.moc"
