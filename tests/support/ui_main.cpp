#include <QApplication>
#include <QStandardPaths>

#include "tests/support/register.h"

int main(int argc, char** argv) {
  if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
  QStandardPaths::setTestModeEnabled(true);
  QApplication application(argc, argv);
  return moe::test::runAll(application.arguments());
}
