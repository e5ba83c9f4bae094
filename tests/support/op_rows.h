#pragma once
#include <QtTest/QtTest>

#include <functional>
#include <vector>

#include "tests/support/op_test.h"

namespace moe::test {

/// A row a case, named as the case is; the test function fetches "index".
inline void opRows(const std::vector<Op>& ops, const std::function<bool(const Op&)>& wanted = {}) {
  QTest::addColumn<std::size_t>("index");
  for (std::size_t i = 0; i < ops.size(); ++i)
    if (!wanted || wanted(ops[i])) QTest::newRow(ops[i].name.c_str()) << i;
}

}  // namespace moe::test
