#include "ui/widgets/expert_heatmap.h"

#include "core/base/error.h"

#include "tests/support/played_window.h"
#include "tests/support/register.h"
#include "ui/theme/palettes.h"
#include "ui/widgets/heatmap_geometry.h"
#include "ui/widgets/load_image.h"
#include "ui/widgets/plot.h"

using namespace moe;
using namespace moe::ui;

class ExpertHeatmapTest : public QObject {
  Q_OBJECT

  /// Two layers of four experts; layer 1 expert 2 gets everything at step 30, nothing else ever differs.
  static RunColumns spiked(int steps) {
    RunColumns run;
    for (int step = 1; step <= steps; ++step) {
      StepPoint point = test::pointAt(1, step, 2, 4);
      if (step == 30) point.layers[1].load = {0, 0, 1, 0};
      run.append(point);
    }
    return run;
  }

 private Q_SLOTS:
  void rowsAreGroupedByLayerAndFoundAgain() {
    const auto g = HeatmapGeometry::of({4, 2}, {500, 200},
                                       {.left = 50, .right = 50, .top = 10, .bottom = 10, .gap = 6, .leastRow = 3});
    QCOMPARE(g.rowHeight, (200 - 26) / 6);
    for (const HeatmapGeometry::Cell cell : {HeatmapGeometry::Cell{0, 0}, {0, 3}, {1, 1}})
      QCOMPARE(*g.at(g.row(cell).center().y()), cell);
    QVERIFY(!g.at(g.group(0).bottom() + 3));
    QVERIFY(!g.at(2));
    QCOMPARE(g.next({0, 3}, 1), (HeatmapGeometry::Cell{1, 0}));
    QCOMPARE(g.next({1, 0}, -1), (HeatmapGeometry::Cell{0, 3}));
    QCOMPARE(g.next({1, 1}, 5), (HeatmapGeometry::Cell{1, 1}));
    QCOMPARE(g.stepAt(g.xOf(33, 10, 90), 10, 90), 33.0);
  }
  void tooManyRowsAskForMoreHeightThanThereIs() {
    const auto g = HeatmapGeometry::of({64, 64, 64}, {500, 200}, {});
    QCOMPARE(g.rowHeight, 3);
    QVERIFY(g.neededHeight > 200);
    QCOMPARE(g.labelEvery(12), 4);
  }
  void manyStepsInOneColumnShowTheirHighestAboveTheirLowest() {
    const RunColumns run = spiked(4000);
    LoadImage image;
    const auto colours = LoadImage::colours(4, false);
    image.update(run.layers()[1].load, 0, 4000, 100, 4, colours);
    QVERIFY(image.columns() <= 100);
    const int x = static_cast<int>(29u >> image.level());
    QCOMPARE(image.image().pixel(x, 4), loadColour(4, 4, false));
    QCOMPARE(image.image().pixel(x, 5), loadColour(1, 4, false));
    QCOMPARE(image.image().pixel(x, 0), loadColour(1, 4, false));
    QCOMPARE(image.image().pixel(x, 1), loadColour(0, 4, false));
  }
  void anExpertThatCameLaterLeavesTheStepsBeforeItEmpty() {
    RunColumns run;
    run.append(test::pointAt(1, 1, 1, 4));
    run.append(test::pointAt(1, 2, 1, 5));
    LoadImage image;
    image.update(run.layers()[0].load, 0, 2, 100, 4, LoadImage::colours(4, false));
    QCOMPARE(qAlpha(image.image().pixel(0, 8)), 0);
    QCOMPARE(qAlpha(image.image().pixel(1, 8)), 255);
    QCOMPARE(qAlpha(image.image().pixel(0, 0)), 255);
  }
  void aNewStepRecoloursOnlyItsOwnColumn() {
    RunColumns run = spiked(300);
    LoadImage image;
    const auto colours = LoadImage::colours(4, true);
    QCOMPARE(image.update(run.layers()[0].load, 0, 300, 400, 4, colours), 300u);
    run.append(test::pointAt(1, 301, 2, 4));
    QCOMPARE(image.update(run.layers()[0].load, 0, 301, 400, 4, colours), 1u);
    image.clear();
    QCOMPARE(image.update(run.layers()[0].load, 0, 301, 400, 4, colours), 301u);
  }
  void theKeyboardWalksTheCellsAndTheReadoutFollows() {
    test::PlayedWindow w;
    const RunColumns run = spiked(60);
    ExpertHeatmap heatmap(w.theme, w.time, w.selection);
    heatmap.resize(700, 400);
    w.time.setNewest(60);
    heatmap.setMost(4);
    heatmap.setRun(1, &run);
    heatmap.show();
    QWidget* canvas = heatmap.focusProxy();
    QTest::keyClick(canvas, Qt::Key_Down);
    QCOMPARE(w.selection.place().expert, 0);
    QTest::keyClick(canvas, Qt::Key_PageDown);
    QTest::keyClick(canvas, Qt::Key_Down);
    QTest::keyClick(canvas, Qt::Key_Down);
    QCOMPARE(w.selection.place().layer, 1);
    QCOMPARE(w.selection.place().expert, 2);
    for (int i = 0; i < 30; ++i) QTest::keyClick(canvas, Qt::Key_Left);
    QCOMPARE(w.selection.place().step, 30);
    QVERIFY2(heatmap.readout().contains("layer 1, expert 2, step 30: 4.00"), qPrintable(heatmap.readout()));
    QVERIFY(heatmap.grab().width() > 0);  // painted, so that the colours below are those on the screen
    QCOMPARE(heatmap.colourAt(1, 2, 30), QColor(loadColour(4, 4, w.theme.dark())));
    QCOMPARE(heatmap.colourAt(1, 2, 31), QColor(loadColour(1, 4, w.theme.dark())));
    QTest::keyClick(canvas, Qt::Key_Escape);
    QCOMPARE(w.selection.place(), Place{});
  }
  void aClickSelectsTheCellUnderIt() {
    test::PlayedWindow w;
    const RunColumns run = spiked(60);
    ExpertHeatmap heatmap(w.theme, w.time, w.selection);
    heatmap.resize(700, 400);
    w.time.setNewest(60);
    heatmap.setRun(1, &run);
    heatmap.show();
    QWidget* canvas = heatmap.focusProxy();
    QTest::mouseClick(canvas, Qt::LeftButton, {},
                      canvas->rect().center() + QPoint(0, 40));  // below the gap between the layers
    QCOMPARE(w.selection.place().run, 1);
    QVERIFY(w.selection.place().expert >= 0);
    QVERIFY(std::abs(w.selection.place().step - 30) <= 3);
  }
  void picturesAreSavedInAllThreeFormatsAndARefusalSaysWhy() {
    test::PlayedWindow w;
    const RunColumns run = spiked(60);
    ExpertHeatmap heatmap(w.theme, w.time, w.selection);
    heatmap.resize(700, 400);
    w.time.setNewest(60);
    heatmap.setRun(1, &run);
    QCOMPARE(pictureOf(heatmap, 2).width(), 1400);
    for (const QString ending : {"png", "svg", "pdf"}) {
      const QString path = w.folder.filePath("figure." + ending);
      saveFigure(heatmap, path);
      QFile file(path);
      QVERIFY(file.open(QIODevice::ReadOnly));
      const QByteArray head = file.read(2000);
      QVERIFY(ending == "png"   ? head.startsWith("\x89PNG")
              : ending == "pdf" ? head.startsWith("%PDF")
                                : head.contains("<svg"));
    }
    QVERIFY_EXCEPTION_THROWN(saveFigure(heatmap, w.folder.filePath("figure.bmp")), Error);
    QVERIFY_EXCEPTION_THROWN(saveFigure(heatmap, w.folder.filePath("figure.png/below.png")), Error);
  }
};
SWITCHYARD_TEST(ExpertHeatmapTest)
#include "expert_heatmap_test.moc"
