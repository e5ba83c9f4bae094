#include "core/model/experts_init.h"

#include <cassert>
#include <cmath>

#include "core/backend/host_mirror.h"
#include "core/tensor/scalar.h"

namespace moe {

namespace {

using Init = Recipe::Experts::Init;

template <class S>
double deviationOf(const TensorView& matrix) {
  double sum = 0, squares = 0;
  for (const S value : matrix.span<S>()) sum += static_cast<double>(value);
  const double mean = sum / static_cast<double>(matrix.elements());
  for (const S value : matrix.span<S>())
    squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
  return std::sqrt(squares / static_cast<double>(matrix.elements()));
}

/// Adds N(0, deviation) to every element; `index` tells the segments of a bank apart.
template <class S>
void addNoise(const TensorView& out, double deviation, RandomKey key, std::uint64_t index) {
  if (out.empty() || deviation == 0) return;
  key.stream = RandomStream::newExperts;
  key.step = index;
  const Tensor noise = hostTensor({out.elements(), 1}, out.dtype);
  fillNormal(noise, key, 0, deviation);
  for (std::int64_t i = 0; i < out.elements(); ++i) out.as<S>()[i] += noise.as<S>()[i];
}

/// Columns [begin, begin + to's columns) of each row.
template <class S>
void copyColumns(const TensorView& to, const TensorView& from, std::int64_t rows, std::int64_t begin) {
  if (to.empty()) return;
  const std::int64_t wide = from.elements() / rows, narrow = to.elements() / rows;
  assert(begin + narrow <= wide);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < narrow; ++i) to.as<S>()[row * narrow + i] = from.as<S>()[row * wide + begin + i];
}

template <class S>
void addBankNoise(const ExpertsWeights& bank, const ExpertsWeights& source, double noise, const RandomKey& key) {
  if (noise == 0) return;
  std::uint64_t index = 0;
  for (const auto member : {&ExpertsWeights::gate, &ExpertsWeights::up, &ExpertsWeights::down}) {
    if (!(bank.*member).empty()) addNoise<S>(bank.*member, noise * deviationOf<S>(source.*member), key, index);
    ++index;
  }
}

template <class S>
void fromDense(const ExpertsWeights& bank, const ExpertsSpec& spec, const ExpertsWeights& dense, Init init,
               double noise, const RandomKey& key) {
  const std::int64_t wide = spec.kind == ExpertKind::clampedGlu ? 2 : 1;
  const bool linear = spec.kind == ExpertKind::linear;
  for (std::int64_t e = 0; e < spec.experts(); ++e) {
    const ExpertsWeights to = oneExpert(spec, bank, e);
    const std::int64_t begin = init == Init::denseSlice ? spec.hiddenBegin(e) : 0;
    copyColumns<S>(to.gate, dense.gate, 1, begin * spec.width);
    copyColumns<S>(to.up, dense.up, 1, wide * begin * spec.width);
    copyColumns<S>(to.gateBias, dense.gateBias, 1, begin);
    copyColumns<S>(to.upBias, dense.upBias, 1, wide * begin);
    copyColumns<S>(to.down, dense.down, spec.outputWidth, linear ? 0 : begin);
    copyColumns<S>(to.downBias, dense.downBias, 1, 0);
  }
  addBankNoise<S>(bank, dense, noise, key);
}

}  // namespace

void changeOnHost(Backend& backend, const ExpertsWeights& bank,
                  const std::function<void(const ExpertsWeights&)>& change) {
  const HostMirror gate(backend, bank.gate), up(backend, bank.up), down(backend, bank.down);
  const HostMirror gateBias(backend, bank.gateBias), upBias(backend, bank.upBias), downBias(backend, bank.downBias);
  change({gate.view(), up.view(), down.view(), gateBias.view(), upBias.view(), downBias.view()});
  for (const HostMirror* mirror : {&gate, &up, &down, &gateBias, &upBias, &downBias}) mirror->write();
}

void expertsFromDense(const ExpertsWeights& bank, const ExpertsSpec& spec, const ExpertsWeights& dense,
                      [[maybe_unused]] std::int64_t denseHidden, Init init, double noise, const RandomKey& key) {
  assert(init != Init::random);
  assert((init == Init::denseSlice ? spec.hiddenTotal() : spec.hidden[0]) <= denseHidden);
  withScalar(bank.down.dtype, [&]<class S>() { fromDense<S>(bank, spec, dense, init, noise, key); });
}

void initialiseExperts(const ExpertsWeights& bank, const ExpertsSpec& spec, const Recipe::Experts& experts,
                       const RandomKey& key) {
  if (experts.init == Init::random) return;
  withScalar(bank.down.dtype, [&]<class S>() {
    if (experts.init == Init::denseSlice)
      addBankNoise<S>(bank, bank, experts.initNoise, key);
    else  // expert 0 copies itself first, and noise comes last
      fromDense<S>(bank, spec, oneExpert(spec, bank, 0), experts.init, experts.initNoise, key);
  });
}

}  // namespace moe
