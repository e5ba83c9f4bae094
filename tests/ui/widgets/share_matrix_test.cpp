#include "ui/widgets/share_matrix.h"

#include <QSignalSpy>
#include <cmath>

#include "tests/support/register.h"
#include "ui/theme/palettes.h"
#include "ui/theme/theme.h"
#include "ui/widgets/explain_popover.h"

using namespace moe;
using namespace moe::ui;

namespace {

ShareMatrix::Content content() {
  return {.rows = {"english", "music"},
          .columns = {"E0", "E1", "E2"},
          .values = {0.5f, 0.25f, 0.25f, NAN, 0.9f, 0.1f},
          .even = {1 / 3.0f, 1 / 3.0f},
          .most = 3,
          .scale = "share"};
}

}  // namespace

class ShareMatrixTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void coloursAreRelativeToWhatWouldBeEven() {
    Theme theme;
    ShareMatrix matrix(theme, "Domains");
    matrix.setContent(content());
    QCOMPARE(matrix.colourAt(0, 0), QColor(loadColour(static_cast<double>(0.5f / (1 / 3.0f)), 3, theme.dark())));
    QCOMPARE(matrix.colourAt(1, 0), theme.colours().base);  // nothing there
    ShareMatrix::Content plain = content();
    plain.even.clear();
    plain.most = 1;
    matrix.setContent(plain);
    QCOMPARE(matrix.colourAt(0, 0), QColor(probabilityColour(0.5)));
  }
  void theKeyboardWalksAndEnterExplains() {
    Theme theme;
    ShareMatrix matrix(theme, "Domains");
    matrix.setContent(content());
    matrix.resize(400, 300);
    matrix.show();
    QSignalSpy chosen(&matrix, &ShareMatrix::columnChosen);
    matrix.setSource([](int row, int column) {
      return Explanation{"cell " + std::to_string(row) + std::to_string(column), "f", "v", ""};
    });
    for (const Qt::Key key : {Qt::Key_Down, Qt::Key_Right, Qt::Key_Down}) QTest::keyClick(&matrix, key);
    QCOMPARE(matrix.readout(), QString("music, E1: 90 %"));
    QCOMPARE(chosen.last()[0].toInt(), 1);
    QTest::keyClick(&matrix, Qt::Key_Return);
    auto* popover = matrix.findChild<ExplainPopover*>();
    QVERIFY(popover);
    QCOMPARE(popover->shown().name, std::string("cell 11"));
    QTest::keyClick(popover, Qt::Key_Escape);
    QVERIFY(!popover->isVisible());
  }
  void aPictureCarriesTheCautionAndTheScale() {
    Theme theme;
    ShareMatrix matrix(theme, "Domains");
    matrix.resize(420, 260);
    matrix.setContent(content());
    const QImage before = pictureOf(matrix);
    matrix.setCaution("sees later tokens");
    QVERIFY(pictureOf(matrix) != before);
  }
};
SWITCHYARD_TEST(ShareMatrixTest)
#include "share_matrix_test.moc"
