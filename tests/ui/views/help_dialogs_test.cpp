#include "ui/views/help_dialogs.h"

#include <QDialog>
#include <QDirIterator>
#include <QTextBrowser>

#include "tests/support/register.h"

using namespace moe::ui;

class HelpDialogsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyHelpPageOfTheRepositoryIsInTheProgram() {
    QDirIterator pages(SWITCHYARD_SOURCE_DIR "/resources/help", {"*.md"}, QDir::Files);
    int count = 0;
    while (pages.hasNext()) {
      QWidget parent;
      showHelpPage("Help", QFileInfo(pages.next()).fileName(), &parent);
      auto* text = parent.findChild<QTextBrowser*>();
      QVERIFY(text);
      QVERIFY2(text->toPlainText().size() > 200, qPrintable(pages.fileName()));
      ++count;
    }
    QVERIFY(count >= 4);
  }
};
SWITCHYARD_TEST(HelpDialogsTest)
#include "help_dialogs_test.moc"
