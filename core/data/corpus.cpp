#include "core/data/corpus.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>

#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/tensor/philox.h"

namespace moe {
namespace {

/// End to end over a domain's held-out tokens; a domain that has no target at all has none.
void appendWindows(std::vector<HeldOutWindow>& out, std::int32_t domain, std::int64_t tokens, std::int64_t length) {
  if (tokens < 2) return;
  if (tokens <= length) return out.push_back({.domain = domain, .start = 0, .length = tokens});
  for (std::int64_t start = 0; start + length < tokens; start += length)
    out.push_back({.domain = domain, .start = start, .length = length});
}

/// As many as `maxTokens` hold: from each of so many equal stretches of all their tokens the window in its middle. A
/// stretch is no shorter than a window, so that none is taken twice.
std::vector<HeldOutWindow> spread(std::span<const HeldOutWindow> windows, std::int64_t tokens, std::int64_t length,
                                  std::int64_t maxTokens) {
  const std::int64_t count = std::max<std::int64_t>(1, maxTokens / length);
  const double stretch = static_cast<double>(tokens) / static_cast<double>(count);
  std::vector<HeldOutWindow> chosen;
  std::int64_t end = 0;
  for (const HeldOutWindow& window : windows) {
    end += window.length;
    if (static_cast<double>(end) <= (static_cast<double>(chosen.size()) + 0.5) * stretch) continue;
    chosen.push_back(window);
    chosen.back().length = std::min(window.length, maxTokens);
    if (static_cast<std::int64_t>(chosen.size()) == count) break;
  }
  return chosen;
}

void resize(Batch& batch, std::int64_t sequences, std::int64_t length) {
  batch.sequences = sequences;
  batch.length = length;
  const auto tokens = static_cast<std::size_t>(sequences * length);
  batch.ids.resize(tokens);
  batch.targets.resize(tokens);
  batch.positions.resize(tokens);
  batch.domains.resize(tokens);
}

}  // namespace

Corpus::Corpus(std::shared_ptr<const Tokenizer> tokenizer, std::vector<Domain> domains, std::int64_t skipped)
    : tokenizer_(std::move(tokenizer)), domains_(std::move(domains)), skipped_(skipped) {}

std::int64_t Corpus::trainingTokens() const {
  std::int64_t tokens = 0;
  for (const Domain& domain : domains_) tokens += static_cast<std::int64_t>(domain.training.size());
  return tokens;
}

std::int64_t Corpus::heldOutTokens() const {
  std::int64_t tokens = 0;
  for (const Domain& domain : domains_) tokens += static_cast<std::int64_t>(domain.heldOut.size());
  return tokens;
}

std::uint64_t Corpus::checksum() const {
  std::uint64_t sum = moe::checksum({});
  const auto add = [&sum](const TokenList& ids) {
    const auto count = static_cast<std::int64_t>(ids.size());
    sum = moe::checksum({reinterpret_cast<const char*>(&count), sizeof count}, sum);
    ids.inPieces([&sum](std::span<const std::int32_t> piece) {
      sum = moe::checksum({reinterpret_cast<const char*>(piece.data()), piece.size_bytes()}, sum);
    });
  };
  for (const Domain& domain : domains_) {
    add(domain.training);
    add(domain.heldOut);
  }
  return sum;
}

double Corpus::unigramEntropy() const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(tokenizer_->vocabulary()));
  for (const Domain& domain : domains_)
    domain.training.inPieces([&counts](std::span<const std::int32_t> ids) {
      for (const std::int32_t id : ids) ++counts[static_cast<std::size_t>(id)];
    });
  const auto total = static_cast<double>(trainingTokens());
  double entropy = 0;
  for (const std::int64_t count : counts)
    if (count > 0) entropy -= static_cast<double>(count) / total * std::log(static_cast<double>(count) / total);
  return entropy;
}

void Corpus::requireBatch(std::int64_t sequences, std::int64_t length) const {
  const std::int64_t there = trainingTokens(), needed = sequences * length + 1;
  if (there >= needed) return;
  throw Error("data", "corpus: expected at least " + std::to_string(needed) + " training tokens for one batch of " +
                          std::to_string(sequences) + " x " + std::to_string(length) + ", found " +
                          std::to_string(there) + "; choose more text, a smaller batch or a shorter context");
}

void Corpus::requireHeldOut() const {
  if (std::ranges::any_of(domains_, [](const Domain& domain) { return domain.heldOut.size() >= 2; })) return;
  throw Error("data", "corpus: expected held-out text to validate on, at least 2 tokens of one domain, found " +
                          std::to_string(heldOutTokens()) + " in " + std::to_string(domains_.size()) +
                          (domains_.size() == 1 ? " domain" : " domains") +
                          ", as the text is short or in many small files; choose more text, larger files or a larger "
                          "data.held_out");
}

void Corpus::drawTraining(Batch& batch, std::uint64_t seed, std::int64_t step, int microBatch, std::int64_t sequences,
                          std::int64_t length) const {
  const std::int64_t tokens = trainingTokens();
  assert(tokens > 0 && sequences > 0 && length > 0);
  resize(batch, sequences, length);
  const RandomKey key{.seed = seed,
                      .stream = RandomStream::batches,
                      .step = static_cast<std::uint64_t>(step),
                      .layer = static_cast<std::uint32_t>(microBatch)};
  for (std::int64_t b = 0; b < sequences; ++b) {
    const auto sequence = static_cast<std::uint32_t>(b);
    auto place = static_cast<std::int64_t>(uniformAt(key, sequence, 0) * static_cast<double>(tokens));
    std::size_t domain = 0;
    while (place >= static_cast<std::int64_t>(domains_[domain].training.size()))
      place -= static_cast<std::int64_t>(domains_[domain++].training.size());
    const TokenList& text = domains_[domain].training;
    const auto size = static_cast<std::int64_t>(text.size());
    // A domain shorter than a sequence is read round and round.
    const std::int64_t starts = size > length ? size - length : size;
    const auto start = static_cast<std::int64_t>(uniformAt(key, sequence, 1) * static_cast<double>(starts));
    for (std::int64_t s = 0; s < length; ++s) {
      const auto t = static_cast<std::size_t>(b * length + s);
      batch.ids[t] = text[static_cast<std::size_t>((start + s) % size)];
      batch.targets[t] = text[static_cast<std::size_t>((start + s + 1) % size)];
      batch.positions[t] = static_cast<std::int32_t>(s);
      batch.domains[t] = static_cast<std::int32_t>(domain);
    }
  }
}

std::vector<HeldOutWindow> Corpus::heldOutWindows(std::int64_t length, std::int64_t maxTokens) const {
  assert(length > 0 && maxTokens > 0);
  std::vector<HeldOutWindow> windows;
  for (std::size_t domain = 0; domain < domains_.size(); ++domain)
    appendWindows(windows, static_cast<std::int32_t>(domain),
                  static_cast<std::int64_t>(domains_[domain].heldOut.size()), length);
  std::int64_t tokens = 0;
  for (const HeldOutWindow& window : windows) tokens += window.length;
  if (tokens > maxTokens) windows = spread(windows, tokens, length, maxTokens);
  std::ranges::stable_sort(windows, std::greater(), &HeldOutWindow::length);
  return windows;
}

bool Corpus::heldOutBatch(Batch& batch, std::span<const HeldOutWindow>& windows, std::int64_t sequences) const {
  assert(sequences > 0);
  if (windows.empty()) return false;
  const std::int64_t length = windows.front().length;
  const auto alike =
      std::ranges::find_if(windows, [length](const HeldOutWindow& window) { return window.length != length; });
  resize(batch, std::min<std::int64_t>(sequences, alike - windows.begin()), length);
  std::size_t t = 0;
  for (const HeldOutWindow& window : windows.first(static_cast<std::size_t>(batch.sequences))) {
    const TokenList& text = domains_[static_cast<std::size_t>(window.domain)].heldOut;
    for (std::int64_t s = 0; s < length; ++s, ++t) {
      const auto at = static_cast<std::size_t>(window.start + s);
      batch.ids[t] = text[at];
      batch.targets[t] = at + 1 < text.size() ? text[at + 1] : -1;
      batch.positions[t] = static_cast<std::int32_t>(s);
      batch.domains[t] = window.domain;
    }
  }
  windows = windows.subspan(static_cast<std::size_t>(batch.sequences));
  return true;
}

}  // namespace moe
