#include <bit>
#include <cassert>
#include <nlohmann/json.hpp>

#include "core/formats/safetensors.h"
#include "core/formats/safetensors_dtype.h"

namespace moe {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

void writeSafetensors(FileWriter& file, std::span<const NamedView> tensors,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t end = 0;
  for (const NamedView& tensor : tensors) {
    assert(!header.contains(tensor.name) && tensor.name != "__metadata__" && tensor.view.device == Device::host);
    nlohmann::ordered_json shape = nlohmann::ordered_json::array();
    for (int axis = 0; axis < tensor.view.shape.rank(); ++axis) shape.push_back(tensor.view.shape[axis]);
    const std::size_t begin = end;
    end += tensor.view.bytes();
    assert(begin % sizeOf(tensor.view.dtype) == 0 && "order tensors so that wider types come first");
    header[tensor.name] = {
        {"dtype", safetensorsName(tensor.view.dtype)}, {"shape", std::move(shape)}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.is_null() ? "{}" : header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the data begins at a multiple of 8
  const std::uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text);
  for (const NamedView& tensor : tensors) file.write(tensor.view.data, tensor.view.bytes());
}

}  // namespace moe
