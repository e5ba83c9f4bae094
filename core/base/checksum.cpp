#include "core/base/checksum.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "core/base/file_reader.h"

namespace moe {

std::uint64_t checksum(std::string_view bytes, std::uint64_t continued) {
  for (const char byte : bytes) continued = (continued ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return continued;
}

std::string checksumText(std::uint64_t checksum) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(checksum));
  return text;
}

std::uint64_t checksumOfFile(const std::string& tag, const std::filesystem::path& path) {
  const FileReader file(tag, path);
  std::vector<char> buffer(1 << 20);
  std::uint64_t sum = checksum({});
  for (std::int64_t at = 0; at < file.size();) {
    const std::int64_t count = std::min<std::int64_t>(file.size() - at, static_cast<std::int64_t>(buffer.size()));
    file.read(buffer.data(), at, count);
    sum = checksum({buffer.data(), static_cast<std::size_t>(count)}, sum);
    at += count;
  }
  return sum;
}

}  // namespace moe
