#pragma once
#include "core/backend/backend.h"

namespace moe {

/// A tensor of a backend as plain code on the host works on it: the memory itself where the host has it, else a copy.
class HostMirror {
 public:
  enum class Start { read, zeros };  // zeros: what is there is overwritten whole, and not read where that costs a copy
  HostMirror(Backend& backend, const TensorView& of, Start start = Start::read) : backend_(backend), of_(of) {
    if (of.device == Device::host || of.empty()) {
      backend.synchronize();
      view_ = of;
      return;
    }
    copy_ = hostTensor(of.shape, of.dtype);
    view_ = copy_;
    if (start == Start::read) backend.copy(copy_, of);
  }
  const TensorView& view() const { return view_; }
  template <class T>
  T* as() const {
    return view_.as<T>();
  }
  template <class T>
  std::span<T> span() const {
    return view_.span<T>();
  }
  /// What was written here goes to the backend's tensor.
  void write() const {
    if (!copy_.empty()) backend_.copy(of_, copy_);
  }

 private:
  Backend& backend_;
  TensorView of_, view_;
  Tensor copy_;
};

}  // namespace moe
