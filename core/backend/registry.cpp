#include <array>
#include <string_view>

#include "core/backend/backend.h"
#include "core/backend/onednn/dnnl_version.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/base/error.h"

namespace moe {
namespace {

struct Entry {
  std::string_view name;
  bool (*computes)(DType);                                  // on this processor
  std::unique_ptr<Backend> (*make)(const BackendOptions&);  // throws Error for a compute type it cannot do
  std::int64_t (*codeBytes)(DType);
};

bool referenceComputes(DType type) {
  return type == DType::f32 || type == DType::f64;
}

std::unique_ptr<Backend> makeReference(const BackendOptions& options) {
  if (!referenceComputes(options.computeType))
    throw Error("backend", "reference: expected compute type f32 or f64, found " +
                               std::string(nameOf(options.computeType)) + "; choose f32, or the onednn backend");
  return std::make_unique<ReferenceBackend>(options.computeType);
}

bool onednnComputes(DType type) {
  return type == DType::f32 || (type == DType::bf16 && hasBf16Products());
}

std::unique_ptr<Backend> makeOnednn(const BackendOptions& options) {
  if (options.computeType == DType::bf16 && !onednnComputes(DType::bf16))
    throw Error("backend",
                "onednn: expected a processor with AVX512-BF16 or AMX for compute type bf16, found one without; "
                "choose f32");
  if (!onednnComputes(options.computeType))
    throw Error("backend", "onednn: expected compute type f32 or bf16, found " +
                               std::string(nameOf(options.computeType)) + "; choose f32");
  return std::make_unique<OnednnBackend>(options.threads, options.computeType);
}

constexpr std::array kBackends{
    Entry{"reference", referenceComputes, makeReference, [](DType) { return std::int64_t{0}; }},
    Entry{"onednn", onednnComputes, makeOnednn, [](DType type) { return type == DType::bf16 ? kBf16CodeBytes : 0; }},
};

}  // namespace

bool canCompute(const std::string& backend, DType type) {
  for (const Entry& entry : kBackends)
    if (entry.name == backend) return entry.computes(type);
  return false;
}

std::int64_t codeBytes(const std::string& backend, DType type) {
  for (const Entry& entry : kBackends)
    if (entry.name == backend) return entry.codeBytes(type);
  return 0;
}

std::unique_ptr<Backend> makeBackend(const BackendOptions& options) {
  std::string names;
  for (const Entry& entry : kBackends) {
    if (entry.name == options.name) return entry.make(options);
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw Error("backend", "expected one of " + names + ", found " + options.name + "; choose one that is listed");
}

}  // namespace moe
