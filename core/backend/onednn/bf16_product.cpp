// Bound by arithmetic: on Zen 5 two to two and a half times dnnl_sgemm's speed at the bench models' sizes, plain
// layouts at 91 to 98 % of packed ones. Executing one primitive from several threads is safe only with a scratchpad a
// thread.
#include "core/backend/onednn/bf16_product.h"

#include <array>
#include <map>
#include <vector>

#include "core/backend/onednn/dnnl_matmul.h"
#include "core/backend/onednn/dnnl_version.h"
#include "core/tensor/tensor.h"

namespace moe {
namespace {

/// What every product shares: the engine, and each thread's stream and scratchpad.
struct Shared {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::vector<dnnl::stream> streams;
  std::vector<Tensor> scratchpads;  // (bytes), one a thread
  std::int64_t primitives = 0;

  void reserve(std::int64_t bytes) {
    for (Tensor& scratchpad : scratchpads)
      if (scratchpad.elements() < bytes) scratchpad = hostTensor({bytes}, DType::u8);
  }
};

class Primitives : public Bf16Product {
 public:
  Primitives(Shared& shared, const Bf16ProductShape& shape) : shared_(shared) {
    // A primitive keeps the number of threads it was made for.
    const int outer = omp_get_max_threads();
    omp_set_num_threads(1);
    for (std::size_t i = 0; i < byRows_.size(); ++i)
      byRows_[i] = made(shape, static_cast<std::int64_t>(i + 1) * kBf16Granule);
    omp_set_num_threads(outer);
  }

  void run(int thread, std::int64_t rows, const BFloat16* a, const BFloat16* b, float* c) const override {
    assert(rows > 0 && rows % kBf16Granule == 0 && rows <= kBf16MaxRows);
    const ForRows& chosen = byRows_[static_cast<std::size_t>(rows / kBf16Granule - 1)];
    const Memories& memories = chosen.memories[static_cast<std::size_t>(thread)];
    const auto slot = static_cast<std::size_t>(thread);
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, placed(memories.a, const_cast<BFloat16*>(a))},
        {DNNL_ARG_WEIGHTS, placed(memories.b, const_cast<BFloat16*>(b))},
        {DNNL_ARG_DST, placed(memories.c, c)},
        {DNNL_ARG_SCRATCHPAD, placed(memories.scratchpad, shared_.scratchpads[slot].view().data)}};
    const int outer = omp_get_max_threads();
    if (outer != 1) omp_set_num_threads(1);
    [[maybe_unused]] const dnnl_status_t status =
        dnnl_primitive_execute(chosen.primitive.get(), shared_.streams[slot].get(), 4, arguments);
    assert(status == dnnl_success);
    if (outer != 1) omp_set_num_threads(outer);
  }

 private:
  struct Memories {
    dnnl::memory a, b, c, scratchpad;
  };
  struct ForRows {
    dnnl::matmul primitive;
    std::vector<Memories> memories;  // one a thread
  };

  static dnnl_memory_t placed(const dnnl::memory& memory, void* data) {
    [[maybe_unused]] const dnnl_status_t status = dnnl_memory_set_data_handle(memory.get(), data);
    assert(status == dnnl_success);
    return memory.get();
  }

  ForRows made(const Bf16ProductShape& shape, std::int64_t rows) {
    using dnnl::memory;
    using Layout = Bf16ProductShape::Layout;
    const std::int64_t n = shape.n, k = shape.k;
    const bool gradient = shape.layout == Layout::gradient;
    const auto narrow = memory::data_type::bf16;
    const memory::desc a = gradient ? memory::desc({k, rows}, narrow, memory::dims{1, k})
                                    : memory::desc({rows, k}, narrow, memory::dims{k, 1});
    const memory::desc b = shape.layout == Layout::timesTransposed
                               ? memory::desc({k, n}, narrow, memory::dims{1, k})
                               : memory::desc({gradient ? rows : k, n}, narrow, memory::dims{n, 1});
    const memory::desc c({gradient ? k : rows, n}, memory::data_type::f32, memory::dims{n, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (shape.accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    const auto description = matmulOf(shared_.engine, a, b, c, attributes);
    ForRows out{.primitive = dnnl::matmul(description), .memories = {}};
    const auto unplaced = [&](const memory::desc& layout) { return memory(layout, shared_.engine, DNNL_MEMORY_NONE); };
    for (std::size_t thread = 0; thread < shared_.streams.size(); ++thread)
      out.memories.push_back({unplaced(a), unplaced(b), unplaced(c), unplaced(description.scratchpad_desc())});
    shared_.reserve(static_cast<std::int64_t>(description.scratchpad_desc().get_size()));
    ++shared_.primitives;
    return out;
  }

  Shared& shared_;
  std::array<ForRows, kBf16MaxRows / kBf16Granule> byRows_;
};

}  // namespace

struct Bf16Products::Impl {
  Shared shared;
  std::map<Bf16ProductShape, std::unique_ptr<Bf16Product>> products;
};

bool hasBf16Products() {
  // The values are sets of bits: newer instruction sets include those of older ones.
  const int usable = dnnl_get_effective_cpu_isa(), wanted = dnnl_cpu_isa_avx512_core_bf16;
  return (usable & wanted) == wanted;
}

Bf16Products::Bf16Products(int threads) : impl_(std::make_unique<Impl>()) {
  for (int thread = 0; thread < threads; ++thread) impl_->shared.streams.emplace_back(impl_->shared.engine);
  impl_->shared.scratchpads.resize(static_cast<std::size_t>(threads));
}
Bf16Products::Bf16Products(Bf16Products&&) noexcept = default;
Bf16Products& Bf16Products::operator=(Bf16Products&&) noexcept = default;
Bf16Products::~Bf16Products() = default;

const Bf16Product& Bf16Products::operator[](const Bf16ProductShape& shape) {
  std::unique_ptr<Bf16Product>& product = impl_->products[shape];
  if (!product) product = std::make_unique<Primitives>(impl_->shared, shape);
  return *product;
}

const Bf16Product& Bf16Products::at(const Bf16ProductShape& shape) const {
  const auto found = impl_->products.find(shape);
  assert(found != impl_->products.end());
  return *found->second;
}

std::int64_t Bf16Products::made() const { return impl_->shared.primitives; }

}  // namespace moe
