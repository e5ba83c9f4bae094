#include "ui/theme/program_icon.h"

#include <QImage>

#include "tests/support/register.h"

using namespace moe::ui;

/// The sign in the title bar and the task list.
class ProgramIconTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void isDrawnAtEverySizeWhateverImagePluginsThereAre() {
    for (const int side : {16, 48, 256}) {
      const QImage image = programIcon().pixmap(side, side).toImage().convertToFormat(QImage::Format_ARGB32);
      QCOMPARE(image.size(), QSize(side, side));
      int painted = 0;
      for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x) painted += qAlpha(image.pixel(x, y)) > 0;
      QVERIFY(painted > side * side / 4);
    }
  }
};
SWITCHYARD_TEST(ProgramIconTest)
#include "program_icon_test.moc"
