#include "ui/widgets/save_dialog.h"

#include <QApplication>
#include <QFile>
#include <QFileDialog>
#include <QLineEdit>
#include <QMessageBox>
#include <QTemporaryDir>
#include <QTimer>

#include "tests/support/register.h"

using namespace moe::ui;

namespace {

struct Asked {
  QString path;
  QString question;  // about overwriting; empty: none was put
};

/// A person types `name` into the dialog and presses Save, answers the question, and gives up where it comes back.
Asked askedFor(const QString& folder, const QString& name, const QString& kind, QMessageBox::StandardButton answer) {
  Asked asked;
  QTimer person;
  QObject::connect(&person, &QTimer::timeout, [&, pressed = false]() mutable {
    QWidget* top = QApplication::activeModalWidget();
    if (auto* question = qobject_cast<QMessageBox*>(top)) {
      asked.question = question->text();
      return void(QMetaObject::invokeMethod(question->button(answer), "click", Qt::QueuedConnection));
    }
    auto* dialog = qobject_cast<QFileDialog*>(top);
    if (!dialog) return;
    if (pressed) return dialog->reject();
    pressed = true;
    dialog->setDirectory(folder);
    if (!kind.isEmpty()) {
      dialog->selectNameFilter(kind);
      Q_EMIT dialog->filterSelected(kind);
    }
    dialog->findChild<QLineEdit*>()->setText(name);
    QMetaObject::invokeMethod(dialog, "accept", Qt::QueuedConnection);  // a timer does not fire within itself
  });
  person.start(20);
  asked.path = askWhereToSave(nullptr, "Save picture", "Loss", {{"PNG picture", "png"}, {"SVG drawing", "svg"}});
  return asked;
}

}  // namespace

class SaveDialogTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() { QApplication::setAttribute(Qt::AA_DontUseNativeDialogs); }
  void theEndingIsAddedBeforeTheQuestionWhetherToOverwrite() {
    QTemporaryDir folder;
    for (const char* name : {"Loss.png", "Loss.svg"}) {
      QFile there(folder.filePath(name));
      QVERIFY(there.open(QIODevice::WriteOnly));
    }
    for (const QMessageBox::StandardButton answer : {QMessageBox::Yes, QMessageBox::No}) {
      for (const QString& kind : {QString(), QString("SVG drawing (*.svg)")}) {
        const QString file = kind.isEmpty() ? "Loss.png" : "Loss.svg";
        const Asked asked = askedFor(folder.path(), "Loss", kind, answer);
        QVERIFY2(asked.question.contains(file), qPrintable(file + ": " + asked.question));
        QCOMPARE(asked.path, answer == QMessageBox::Yes ? folder.filePath(file) : QString());
      }
    }
  }
  void aNewNameIsTakenWithoutAQuestionAndHasAnEnding() {
    QTemporaryDir folder;
    const Asked plain = askedFor(folder.path(), "New", {}, QMessageBox::No);
    QCOMPARE(plain.path, folder.filePath("New.png"));
    QVERIFY(plain.question.isEmpty());
    QCOMPARE(askedFor(folder.path(), "Other.svg", {}, QMessageBox::No).path, folder.filePath("Other.svg"));
  }
};

SWITCHYARD_TEST(SaveDialogTest)
#include "save_dialog_test.moc"
