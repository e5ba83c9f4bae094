#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace moe {

/// FNV-1a, 64 bits (Fowler, Noll, Vo): tells an altered or half-written file from the one that was saved. No protection
/// against someone who means to deceive.
std::uint64_t checksum(std::string_view bytes, std::uint64_t continued = 0xcbf29ce484222325);

/// Sixteen hexadecimal digits.
std::string checksumText(std::uint64_t checksum);

/// Of a whole file, read in pieces. Errors carry `tag`.
std::uint64_t checksumOfFile(const std::string& tag, const std::filesystem::path& path);

}  // namespace moe
