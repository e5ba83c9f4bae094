#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "core/backend/backend.h"
#include "core/inspect/text_routing.h"
#include "core/inspect/token_routing.h"
#include "core/tensor/philox.h"

namespace moe {

namespace {

std::vector<double> logitsOf(const HostCopy& copy /*(V)*/) {
  const TensorView& view = copy.view();
  std::vector<double> logits(static_cast<std::size_t>(view.elements()));
  if (view.dtype == DType::f64) {
    std::copy_n(view.as<double>(), logits.size(), logits.begin());
  } else {
    std::copy_n(view.as<float>(), logits.size(), logits.begin());
  }
  return logits;
}

/// Nats of `id` under softmax(logits).
double lossOf(const std::vector<double>& logits, std::int32_t id) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double z : logits) sum += std::exp(z - largest);
  return largest + std::log(sum) - logits[static_cast<std::size_t>(id)];
}

/// A draw from softmax(logits / temperature); temperature 0: the largest, the lower id where two are equal.
std::int32_t sample(const std::vector<double>& logits, double temperature, double uniform) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  if (temperature <= 0) return static_cast<std::int32_t>(largest - logits.begin());
  double sum = 0;
  for (double z : logits) sum += std::exp((z - *largest) / temperature);
  double left = uniform * sum;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    left -= std::exp((logits[id] - *largest) / temperature);
    if (left < 0) return static_cast<std::int32_t>(id);
  }
  return static_cast<std::int32_t>(largest - logits.begin());
}

}  // namespace

struct Generation::Impl {
  Model& model;
  const Tokenizer& tokenizer;
  GenerateSettings settings;
  std::unique_ptr<Model::Cache, void (*)(Model::Cache*)> cache;
  std::int64_t position = 0;      // of the next token in the cache
  std::vector<std::int32_t> ids;  // prompt and continuation
  std::vector<double> logits;     // (V) of the token after ids
  TextRouting result;
  int made = 0;

  Impl(Model& m, const Tokenizer& t, GenerateSettings s) : model(m), tokenizer(t), settings(s), cache(m.makeCache()) {}

  void feed(std::int32_t id) { logits = logitsOf(model.backend().read(model.next(*cache, id, position++))); }
  /// Takes one token in and appends how it was routed.
  void take(std::int32_t id, bool generated) {
    if (position == model.config().context) shift();
    TokenRouting token = shownToken(tokenizer, id);
    token.generated = generated;
    if (position < std::ssize(ids)) token.given = static_cast<int>(position);
    if (!logits.empty()) token.loss = lossOf(logits, id);
    feed(id);
    ids.push_back(id);
    token.layers = tokenLayers(model, 0);
    result.tokens.push_back(std::move(token));
  }
  /// The context is full: begins anew with its later half, so that the text may go on.
  void shift() {
    const auto kept = std::max<std::ptrdiff_t>(1, model.config().context / 2);
    cache = model.makeCache();
    position = 0;
    for (auto id = ids.end() - std::min<std::ptrdiff_t>(kept, std::ssize(ids)); id != ids.end(); ++id)
      if (position < model.config().context - 1) feed(*id);
  }
};

Generation::Generation(Model& model, const Tokenizer& tokenizer, const std::string& prompt, GenerateSettings settings)
    : impl_(std::make_unique<Impl>(model, tokenizer, settings)) {
  TextRouting& result = impl_->result;
  result.text = prompt;
  result.complete = settings.tokens <= 0;
  result.problem = whyNotGenerating(model.config());
  std::vector<std::int32_t> ids;
  if (result.problem.empty()) {
    ids = tokenizer.encode(prompt);
    if (ids.empty()) result.problem = "Type a few characters for the model to continue.";
  }
  if (!result.problem.empty()) {
    result.complete = true;
    return;
  }
  const auto context = static_cast<std::size_t>(model.config().context);
  if (ids.size() > context) ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(context));
  for (std::int32_t id : ids) impl_->take(id, false);
}

Generation::~Generation() = default;

bool Generation::advance() {
  TextRouting& result = impl_->result;
  if (result.complete) return false;
  const RandomKey key{
      .seed = impl_->settings.seed, .stream = RandomStream::sampling, .step = static_cast<std::uint64_t>(impl_->made)};
  impl_->take(sample(impl_->logits, impl_->settings.temperature, uniformAt(key, 0, 0)), true);
  result.complete = ++impl_->made >= impl_->settings.tokens;
  return !result.complete;
}

const TextRouting& Generation::result() const { return impl_->result; }

std::string Generation::text() const {
  // The prompt as it was typed: its tokens may be fewer, cut to the context.
  return impl_->result.text +
         impl_->tokenizer.decode(std::span(impl_->ids).last(static_cast<std::size_t>(impl_->made)));
}

}  // namespace moe
