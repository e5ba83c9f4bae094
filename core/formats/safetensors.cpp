#include "core/formats/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/checked_math.h"
#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/formats/safetensors_dtype.h"

namespace moe {
namespace {

constexpr std::int64_t kLongestHeader = 100'000'000;  // as the format's own reader has it
constexpr int kDeepestHeader = 3;                     // header, tensor, list
/// Of the format, and not used here.
constexpr const char* kOtherTypes[] = {"BOOL",    "I8",  "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4",  "F6_E2M3",
                                       "F6_E3M2", "I16", "U16",     "F16",     "U32",     "U64", "C64"};

std::string range(std::int64_t begin, std::int64_t end) { return std::to_string(begin) + " to " + std::to_string(end); }

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_("safetensors", path) { readHeader(); }

void SafetensorsFile::refuse(const std::string& sentence) const {
  throw Error("safetensors",
              file_.path().string() + ": " + sentence + "; the file is damaged or of another kind, take another copy");
}

void SafetensorsFile::readHeader() {
  if (file_.size() < 8) refuse("expected 8 bytes of header length, found a file of " + std::to_string(file_.size()));
  std::uint64_t length = 0;
  file_.read(&length, 0, 8);
  const std::int64_t left = file_.size() - 8;
  if (length > static_cast<std::uint64_t>(std::min(left, kLongestHeader)))
    refuse("expected a header of at most " + std::to_string(std::min(left, kLongestHeader)) + " bytes, the file says " +
           std::to_string(length));
  std::string text(static_cast<std::size_t>(length), '\0');
  file_.read(text.data(), 8, static_cast<std::int64_t>(length));
  dataBegin_ = 8 + static_cast<std::int64_t>(length);

  std::string problem;
  const nlohmann::json header = parseStrictJson(text, kDeepestHeader, problem);
  if (!problem.empty()) refuse("header: " + problem);
  if (!header.is_object()) refuse("header: expected a JSON object, found " + std::string(header.type_name()));
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      if (value.is_null()) continue;  // some writers' word for none
      if (!value.is_object()) refuse("__metadata__: expected texts by name, found " + std::string(value.type_name()));
      for (const auto& [key, said] : value.items()) {
        if (!said.is_string()) refuse("__metadata__." + key + ": expected a text, found " + said.type_name());
        metadata_[key] = said;
      }
      continue;
    }
    const auto field = [&](const char* key) -> const nlohmann::json& {
      const auto found = value.is_object() ? value.find(key) : value.end();
      if (!value.is_object() || found == value.end()) refuse(name + ": expected the field \"" + key + "\", found none");
      return *found;
    };
    // A length from the file: a whole number that is not negative and fits.
    const auto whole = [&](const nlohmann::json& number, const char* key) {
      const bool fits =
          number.is_number_unsigned() && number.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
      if (!fits) refuse(name + ": expected whole numbers in \"" + key + "\", found " + briefly(number));
      return number.get<std::int64_t>();
    };
    Entry entry;
    entry.name = name;
    const nlohmann::json& dtype = field("dtype");
    const auto known = dtype.is_string() ? dtypeOfSafetensors(dtype.get_ref<const std::string&>()) : std::nullopt;
    if (!known && std::ranges::any_of(kOtherTypes, [&](const char* other) { return dtype == other; }))
      throw Error("safetensors", file_.path().string() + ": " + name +
                                     ": expected F32, F64, BF16, I32, I64 or U8, found numbers of type " +
                                     dtype.get<std::string>() + "; the file is whole, convert it to F32 or BF16");
    if (!known) refuse(name + ": expected dtype F32, F64, BF16, I32, I64 or U8, found " + briefly(dtype));
    entry.dtype = *known;
    const nlohmann::json& shape = field("shape");
    if (!shape.is_array() || shape.size() > Shape::kMaxRank)
      refuse(name + ": expected a shape of at most " + std::to_string(Shape::kMaxRank) + " axes, found " +
             briefly(shape));
    std::optional<std::int64_t> bytes = static_cast<std::int64_t>(sizeOf(entry.dtype));
    std::int64_t extents[Shape::kMaxRank] = {};
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      extents[axis] = whole(shape[axis], "shape");
      bytes = bytes ? checkedMultiply(*bytes, extents[axis]) : bytes;
    }
    if (!bytes) refuse(name + ": expected a shape that fits into memory, found " + briefly(shape));
    switch (shape.size()) {
      case 0: break;
      case 1: entry.shape = {extents[0]}; break;
      case 2: entry.shape = {extents[0], extents[1]}; break;
      case 3: entry.shape = {extents[0], extents[1], extents[2]}; break;
      default: entry.shape = {extents[0], extents[1], extents[2], extents[3]}; break;
    }
    const nlohmann::json& offsets = field("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2)
      refuse(name + ": expected two data_offsets, found " + briefly(offsets));
    entry.begin = whole(offsets[0], "data_offsets");
    entry.end = whole(offsets[1], "data_offsets");
    if (entry.begin > entry.end || entry.end - entry.begin != *bytes)
      refuse(name + ": expected " + std::to_string(*bytes) + " bytes for " + std::string(safetensorsName(entry.dtype)) +
             " " + entry.shape.text() + ", found data_offsets " + range(entry.begin, entry.end));
    if (entry.begin % static_cast<std::int64_t>(sizeOf(entry.dtype)) != 0)
      refuse(name + ": expected an offset that is a multiple of " + std::to_string(sizeOf(entry.dtype)) + ", found " +
             std::to_string(entry.begin));
    entries_.push_back(std::move(entry));
  }
  checkRanges(file_.size() - dataBegin_);
}

void SafetensorsFile::checkRanges(std::int64_t bytes) {
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::int64_t at = 0;
  for (const Entry& entry : entries_) {
    if (entry.end > bytes)
      refuse(entry.name + ": expected its bytes within the " + std::to_string(bytes) +
             " that follow the header, found data_offsets " + range(entry.begin, entry.end));
    if (entry.begin != at)
      refuse(entry.name + ": expected its bytes to begin at " + std::to_string(at) +
             ", where the ones before end, found " + std::to_string(entry.begin));
    at = entry.end;
  }
  if (at != bytes)
    refuse("expected " + std::to_string(at) + " bytes behind the header, found " + std::to_string(bytes));
}

const SafetensorsFile::Entry* SafetensorsFile::find(std::string_view name) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

Tensor SafetensorsFile::read(const Entry& entry) const {
  Tensor tensor = hostTensor(entry.shape, entry.dtype);
  file_.read(tensor.view().data, dataBegin_ + entry.begin, entry.end - entry.begin);
  return tensor;
}

}  // namespace moe
