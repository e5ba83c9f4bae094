#include "ui/widgets/plot_parts.h"

#include <set>

#include "tests/support/register.h"

using namespace moe::ui;

namespace {

PlotHeader headerOf(int series, const QString& name = "L%1") {
  PlotHeader header;
  header.title = "Saturation";
  std::vector<PlotHeader::Entry> entries;
  for (int i = 0; i < series; ++i) entries.push_back({name.arg(i), "100 %", Qt::black, Qt::SolidLine, 1.0 - 0.01 * i});
  header.setEntries(std::move(entries));
  return header;
}

/// Entries that a press somewhere on the header finds.
std::set<int> found(const PlotHeader& header, int width) {
  std::set<int> all;
  const QRect rect(0, 0, width, header.height(width));
  for (int y = 0; y < rect.height(); ++y)
    for (int x = 0; x < width; ++x)
      if (const int entry = header.entryAt(rect, {x, y}); entry >= 0) all.insert(entry);
  return all;
}

}  // namespace

class PlotHeaderTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everySeriesIsThereHoweverManyThereAre() {
    for (const int series : {1, 2, 4, 6, 8, 12, 24})
      for (const int width : {210, 300, 600})
        QCOMPARE(found(headerOf(series), width).size(), static_cast<std::size_t>(series));
  }
  void fewStandInALineMoreInColumnsManyAsAStrip() {
    const PlotHeader two = headerOf(2), six = headerOf(6), many = headerOf(24);
    QCOMPARE(six.height(1000), two.height(1000));
    QVERIFY(six.height(300) > two.height(300));
    QVERIFY(!six.isStrip(300));
    QVERIFY(many.isStrip(300));
    QCOMPARE(many.height(300), two.height(300));
  }
  void longNamesAreListedBeforeTheyAreCut() {
    const PlotHeader runs = headerOf(3, "a run with a name of its own %1");
    QVERIFY(!runs.isStrip(300));
    QCOMPARE(found(runs, 300).size(), std::size_t{3});
  }
  void runningNumbersMoveNothing() {
    PlotHeader header = headerOf(4);
    const int before = header.height(300);
    std::vector<PlotHeader::Entry> shorter;
    for (int i = 0; i < 4; ++i) shorter.push_back({QString("L%1").arg(i), "1 %", Qt::black, Qt::SolidLine, 0.01});
    const QRect rect(0, 0, 300, before);
    std::vector<int> places;
    for (int x = 0; x < 300; ++x) places.push_back(header.entryAt(rect, {x, before - 6}));
    header.setEntries(std::move(shorter));
    QCOMPARE(header.height(300), before);
    for (int x = 0; x < 300; ++x) QCOMPARE(header.entryAt(rect, {x, before - 6}), places[static_cast<std::size_t>(x)]);
  }
};
SWITCHYARD_TEST(PlotHeaderTest)
#include "plot_header_test.moc"
