#include <QCoreApplication>

#include "tests/support/register.h"

int main(int argc, char** argv) {
  QCoreApplication application(argc, argv);
  return moe::test::runAll(application.arguments());
}
