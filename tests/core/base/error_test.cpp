#include "core/base/error.h"

#include "tests/support/register.h"

class ErrorTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theSentenceCarriesTheTagInBrackets() {
    const moe::Error error("data", "corpus.txt: expected text, found nothing; choose another file");
    QCOMPARE(error.tag(), std::string("data"));
    QCOMPARE(std::string(error.what()),
             std::string("[data] corpus.txt: expected text, found nothing; choose another file"));
  }
};
SWITCHYARD_TEST(ErrorTest)
#include "error_test.moc"
