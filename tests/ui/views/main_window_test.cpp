#include "ui/views/main_window.h"

#include <sys/stat.h>

#include <QAction>
#include <QDir>
#include <QDockWidget>
#include <QDropEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QMimeData>
#include <QScreen>
#include <QSettings>
#include <QTemporaryDir>
#include <QTextEdit>

#include "tests/support/played_window.h"
#include "tests/support/register.h"
#include "ui/theme/theme.h"
#include "ui/views/run_bar.h"
#include "ui/widgets/notices.h"

using namespace moe;
using namespace moe::ui;

namespace {

/// What the pointer may carry over the window, by name.
struct Carried {
  QString name;
  QList<QUrl> urls;
  QString text;
  bool offered = false;  // as a text to train on
};

/// Every kind of thing, and pairs of them, of a folder made for it.
std::vector<Carried> everythingCarried(const QDir& folder) {
  const auto file = [&](const QString& name) {
    QFile made(folder.filePath(name));
    if (made.open(QIODevice::WriteOnly)) made.write("the text of a file\n");
    return QUrl::fromLocalFile(folder.filePath(name));
  };
  std::vector<Carried> single;
  const QStringList names{"plain.txt",       "no ending",       "two words.md",   "ünïcödé.txt",
                          "文字.txt",        "emoji 🚂.txt",     "percent%20.txt", "hash#.txt",
                          "question?.txt",   "quote'\".txt",    "line\nfeed.txt", "turned\u202Etxt.exe",
                          "semi;colon.txt",  "back\\slash.txt", "-dash.txt",      ".hidden",
                          "& ampersand.txt", "<b>markup.txt",   "tab\t.txt",      QString(200, 'x') + ".txt"};
  for (const QString& name : names) single.push_back({name, {file(name)}, {}, true});
  folder.mkdir("folder");
  single.push_back({"a folder", {QUrl::fromLocalFile(folder.filePath("folder"))}, {}, true});
  single.push_back({"a folder with its slash", {QUrl::fromLocalFile(folder.filePath("folder/"))}, {}, true});
  single.push_back({"the root", {QUrl::fromLocalFile("/")}, {}, true});
  file("gone.txt");
  QFile::remove(folder.filePath("gone.txt"));
  single.push_back({"a file that is gone", {QUrl::fromLocalFile(folder.filePath("gone.txt"))}});
  single.push_back({"a path of 5,000 letters", {QUrl::fromLocalFile("/" + QString(5000, 'n'))}});
  ::mkfifo(folder.filePath("pipe").toLocal8Bit().constData(), 0600);
  single.push_back({"a pipe", {QUrl::fromLocalFile(folder.filePath("pipe"))}});
  single.push_back({"a device", {QUrl::fromLocalFile("/dev/zero")}});
  QFile::link(folder.filePath("nowhere"), folder.filePath("dangling"));
  single.push_back({"a link to nothing", {QUrl::fromLocalFile(folder.filePath("dangling"))}});
  QFile::link(folder.filePath("plain.txt"), folder.filePath("link"));
  single.push_back({"a link to a file", {QUrl::fromLocalFile(folder.filePath("link"))}, {}, true});
  for (const char* url :
       {"http://example.org/a.txt", "https://example.org/", "ftp://example.org/a.txt", "smb://host/share/a.txt",
        "sftp://host/a.txt", "data:text/plain,hello", "mailto:someone@example.org", "trash:///a.txt", "recent:///a.txt",
        "x-special/gnome-copied-files", "about:blank", "javascript:0"})
    single.push_back({url, {QUrl(url)}});
  single.push_back({"a file of another machine", {QUrl("file://elsewhere/share/a.txt")}});
  single.push_back({"no address", {QUrl()}});
  single.push_back({"a relative address", {QUrl("a.txt")}});
  single.push_back({"an address of 5,000 letters", {QUrl("https://example.org/" + QString(5000, 'w'))}});

  std::vector<Carried> all = single;
  all.push_back({"nothing"});
  all.push_back({"text", {}, "some words"});
  all.push_back({"a word of 5,000 letters", {}, QString(5000, 'w')});
  all.push_back({"text beside a file", {file("plain.txt")}, "some words", true});
  for (const int count : {3, 100, 10'000})
    all.push_back({QString("%1 files").arg(count), QList<QUrl>(count, file("plain.txt"))});
  for (std::size_t i = 0; i + 1 < single.size(); ++i) {
    all.push_back({single[i].name + " and " + single[i + 1].name, single[i].urls + single[i + 1].urls});
    all.push_back({single[i].name + " and itself", single[i].urls + single[i].urls});
    all.push_back({single[i].name + " behind a file", QList<QUrl>{file("plain.txt")} + single[i].urls});
    all.push_back({single[i].name + " with text", single[i].urls, "some words", single[i].offered});
  }
  return all;
}

void put(QMimeData& data, const Carried& carried) {
  if (!carried.urls.isEmpty()) data.setUrls(carried.urls);
  if (!carried.text.isEmpty()) data.setText(carried.text);
}

/// The pointer comes over the window and lets go; `emptied`: the program it came from ends in between.
bool dropOn(QWidget& window, const Carried& carried, bool emptied) {
  QMimeData data, none;
  put(data, carried);
  QDragEnterEvent enter(QPoint(300, 300), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &enter);
  if (!enter.isAccepted()) return false;
  QDropEvent drop(QPointF(300, 300), Qt::CopyAction, emptied ? &none : &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &drop);
  return drop.isAccepted();
}

}  // namespace

class MainWindowTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void whateverIsDroppedIsOfferedOrRefusedInWords() {
    QTemporaryDir folder;
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.resize(1280, 800);
    window.show();
    w.start(1, runConfigOfPreset("mixtral"), 3);
    const std::vector<Carried> all = everythingCarried(QDir(folder.path()));
    QVERIFY2(all.size() >= 200, qPrintable(QString::number(all.size())));
    for (const Carried& carried : all) {
      for (const QString& key : {QString("data")}) w.context.notices.close(key);
      const bool taken = dropOn(window, carried, false);
      QVERIFY2(taken == carried.offered, qPrintable(carried.name));
      // Words alone are not for the window; everything else is answered.
      QVERIFY2((w.context.notices.count() == 1) == !carried.urls.isEmpty(), qPrintable(carried.name));
      QCOMPARE(window.width(), 1280);
      if (w.context.notices.count() == 1) {
        const QString sentence = w.context.notices.sentences().front();
        QVERIFY2(sentence.size() < 400, qPrintable(sentence));
        QVERIFY2(!sentence.contains('\n') && !sentence.contains(QChar(0x202E)), qPrintable(sentence));
      }
      w.context.notices.close("data");
      QVERIFY2(!dropOn(window, carried, true), qPrintable(carried.name));  // its program has ended
      QCOMPARE(w.context.notices.count(), 0);
    }
    QCOMPARE(w.postedOf<command::Start>().size(), 0u);  // nothing begins unasked
  }
  void aLongWordInANoticeMakesNoWindowWider() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.resize(1000, 700);
    window.show();
    w.context.notices.show(Notices::Kind::problem, "There is no run " + QString(5000, 'r') + " in the store.",
                           {{"Do something about it", [] {}}}, "a");
    w.context.notices.show(Notices::Kind::note, QString("/a/path/of/") + QString(60, 'x') + "/and/more words behind it",
                           {}, "b");
    QCoreApplication::processEvents();
    QCOMPARE(window.width(), 1000);
    QVERIFY(window.minimumSizeHint().width() <= 1000);
    w.context.notices.show(Notices::Kind::note, QString("some words ").repeated(18) + "in two lines", {}, "c");
    QCoreApplication::processEvents();
    const QTextEdit* two = w.context.notices.findChildren<QTextEdit*>().last();
    QVERIFY(two->document()->size().height() > 1.5 * two->fontMetrics().lineSpacing());
    QVERIFY(two->document()->size().height() <= two->viewport()->height());  // both are seen
    for (const QTextEdit* words : w.context.notices.findChildren<QTextEdit*>()) {
      QVERIFY(words->height() <= 5 * words->fontMetrics().lineSpacing());
      const QString sizes = QString("%1 in %2 of %3")
                                .arg(words->document()->size().width())
                                .arg(words->viewport()->width())
                                .arg(words->width());
      QVERIFY2(words->document()->size().width() <= words->viewport()->width(), qPrintable(sizes));
    }
  }
  void theWindowFitsSmallScreensAndItsPanelsFold() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.show();
    const QRect screen = window.screen()->availableGeometry();
    QVERIFY2(screen.contains(window.geometry()), "as it opens");
    w.start(1, runConfigOfPreset("mixtral"), 3);
    auto* alerts = window.findChild<QDockWidget*>("alerts");
    auto* train = qobject_cast<QMainWindow*>(alerts->parentWidget());
    // 1280x800 px at twice the scale, without what a desktop keeps.
    for (const bool presenter : {false, true, false}) {
      w.theme.setPresenter(presenter);
      window.resize(632, 370);
      QCoreApplication::processEvents();
      if (!presenter) QCOMPARE(window.size(), QSize(632, 370));
      for (const QString& id : window.pageIds()) {
        window.showPage(id);
        QCoreApplication::processEvents();
        if (!presenter) QCOMPARE(window.size(), QSize(632, 370));
      }
      window.showPage("train");
      // One at the right, the others behind it.
      QCOMPARE(train->tabifiedDockWidgets(alerts).size(), 2);
    }
    window.resize(1280, 800);
    QCoreApplication::processEvents();
    QVERIFY(train->tabifiedDockWidgets(alerts).isEmpty());
  }
  void aSavedGeometryOfALargerScreenIsBroughtBack() {
    test::PlayedWindow w;
    {
      MainWindow window(w.context);
      window.setGeometry(3000, 2000, 2400, 1500);
      window.show();
      window.close();
    }
    MainWindow window(w.context);
    window.show();
    const QRect screen = window.screen()->availableGeometry();
    QVERIFY2(screen.contains(window.geometry()),
             qPrintable(
                 QString("%1x%2 at %3, %4").arg(window.width()).arg(window.height()).arg(window.x()).arg(window.y())));
  }
  void aHundredPressesOfRestartAreOne() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.show();
    w.start(1, runConfigOfPreset("mixtral"), 3);
    for (int i = 0; i < 100; ++i) {
      window.runBar().restartAction()->trigger();
      QCoreApplication::processEvents();
    }
    QCOMPARE(w.postedOf<command::Restart>().size(), 1u);
    QVERIFY(!window.runBar().restartAction()->autoRepeat());  // nor while the keys are held
  }
  void shortcutsStandWhereTheyStandOnEveryLayout() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.show();
    w.start(1, runConfigOfPreset("mixtral"), 3);
    const auto press = [&](int key, quint32 place, const QString& text) {
      QKeyEvent event(QEvent::KeyPress, key, Qt::ControlModifier, place, 0, 0, text);
      QApplication::sendEvent(&window, &event);
    };
    press(0x041a, 27, "\u043a");  // Russian K, where R is: restart
    QCOMPARE(w.postedOf<command::Restart>().size(), 1u);
    press(0x05d3, 39, "\u05d3");  // Hebrew, where S is: save and keep
    QCOMPARE(w.postedOf<command::SaveCheckpoint>().size(), 1u);
    press(0x00c9, 11, "\u00e9");  // the second page of AZERTY
    QCOMPARE(window.page(), window.pageIds()[1]);
    press(Qt::Key_Ampersand, 10, "&");
    QCOMPARE(window.page(), window.pageIds()[0]);
    press(Qt::Key_M, 47, "m");  // a Latin layout's letters are where it says
    press(Qt::Key_Semicolon, 58, ";");
    QCOMPARE(window.page(), window.pageIds()[0]);
  }
};

SWITCHYARD_TEST(MainWindowTest)
#include "main_window_test.moc"
