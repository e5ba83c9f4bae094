#pragma once
// A test file names its class in SWITCHYARD_TEST; the folder's executable runs every class named so.
//   test_core_router                      all classes
//   test_core_router CapacityTest         one class (then Qt Test's own arguments: function names, -v2 ...)
#include <QObject>
#include <QtTest/QtTest>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace moe::test {

struct Registered {
  std::string name;
  std::function<std::unique_ptr<QObject>()> make;
};

inline std::vector<Registered>& registry() {
  static std::vector<Registered> tests;
  return tests;
}

inline int runAll(QStringList arguments) {
  std::string only;
  if (arguments.size() > 1) {
    for (const Registered& test : registry())
      if (arguments[1].toStdString() == test.name) only = test.name;
    if (!only.empty()) arguments.removeAt(1);
  }
  int failures = 0;
  for (const Registered& test : registry())
    if (only.empty() || only == test.name) failures += QTest::qExec(test.make().get(), arguments);
  return failures > 255 ? 255 : failures;
}

}  // namespace moe::test

#define SWITCHYARD_TEST(Class)                                                           \
  static const bool registered##Class = [] {                                             \
    moe::test::registry().push_back({#Class, [] { return std::make_unique<Class>(); }}); \
    return true;                                                                         \
  }();
