#pragma once
#include <cstdint>

#include "core/store/sqlite.h"

namespace moe {

/// Brings a new or older store to this program's version, in one transaction.
void migrate(Connection& connection);

std::int64_t versionOf(Connection& connection);

/// Throws Error("store") for a file of another program, of a newer version, or older than this program reads.
void checkVersion(Connection& connection);

}  // namespace moe
