#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/atomic_file.h"
#include "core/base/file_reader.h"
#include "core/tensor/tensor.h"

namespace moe {

// The safetensors format: 8 bytes of header length (little-endian), a JSON header that gives each tensor's dtype, shape
// and byte range, then the ranges one behind the other. Source: https://github.com/huggingface/safetensors (format).

/// A tensor to be written. f32, f64, bf16, i32, i64 or u8.
struct NamedView {
  std::string name;
  TensorView view;
};

/// Streams the tensors to `file` in the given order. Names are distinct and none is "__metadata__".
void writeSafetensors(FileWriter& file, std::span<const NamedView> tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// A file from outside: hostile until checked. The constructor checks the whole header (lengths, dtypes, shapes, ranges
/// that overlap, leave holes, lie unaligned or pass the end, names met twice) before anything of that size is allocated,
/// and throws Error("safetensors").
class SafetensorsFile {
 public:
  struct Entry {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    std::int64_t begin = 0, end = 0;  // bytes behind the header
  };

  explicit SafetensorsFile(const std::filesystem::path& path);

  /// In the order of their bytes in the file.
  const std::vector<Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// Null where there is none of that name.
  const Entry* find(std::string_view name) const;
  Tensor read(const Entry& entry) const;
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  [[noreturn]] void refuse(const std::string& sentence) const;
  void readHeader();
  void checkRanges(std::int64_t bytes);

  FileReader file_;
  std::int64_t dataBegin_ = 0;
  std::vector<Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace moe
