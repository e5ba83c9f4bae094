#pragma once
// Beside dnnl_version.h the only file that may know which oneDNN it is compiled against: matmul primitives.
#include <oneapi/dnnl/dnnl.hpp>

namespace moe {

/// c = a b, of these layouts.
inline dnnl::matmul::primitive_desc matmulOf(const dnnl::engine& engine, const dnnl::memory::desc& a,
                                             const dnnl::memory::desc& b, const dnnl::memory::desc& c,
                                             const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, c, attributes};
#else
  return {dnnl::matmul::desc(a, b, c), attributes, engine};
#endif
}

}  // namespace moe
