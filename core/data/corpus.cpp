#include "core/data/corpus.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/base/error.h"
#include "core/tensor/philox.h"

namespace moe {
namespace {

/// Held-out sequences of a domain: whole ones, or a single padded one where it is shorter.
std::int64_t sequencesIn(const Corpus::Domain& domain, std::int64_t length) {
  const auto tokens = static_cast<std::int64_t>(domain.heldOut.size());
  if (tokens < 2) return 0;
  return std::max<std::int64_t>(1, (tokens - 1) / length);
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

Corpus::Corpus(std::shared_ptr<const Tokenizer> tokenizer, std::vector<Domain> domains)
    : tokenizer_(std::move(tokenizer)), domains_(std::move(domains)) {}

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

double Corpus::unigramEntropy() const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(tokenizer_->vocabulary()));
  for (const Domain& domain : domains_)
    for (const std::int32_t id : domain.training) ++counts[static_cast<std::size_t>(id)];
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
                          std::to_string(sequences) + " x " + std::to_string(length) + ", found " + std::to_string(there) +
                          "; choose more text, a smaller batch or a shorter context");
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
    const std::vector<std::int32_t>& text = domains_[domain].training;
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

std::int64_t Corpus::heldOutSequences(std::int64_t length) const {
  std::int64_t all = 0;
  for (const Domain& domain : domains_) all += sequencesIn(domain, length);
  return all;
}

bool Corpus::heldOutBatch(Batch& batch, std::int64_t first, std::int64_t sequences, std::int64_t length) const {
  assert(first >= 0 && sequences > 0 && length > 0);
  const std::int64_t all = heldOutSequences(length);
  if (first >= all) return false;
  resize(batch, std::min(sequences, all - first), length);
  std::size_t domain = 0;
  std::int64_t inDomain = first;
  for (std::int64_t b = 0; b < batch.sequences; ++b, ++inDomain) {
    while (inDomain >= sequencesIn(domains_[domain], length)) inDomain -= sequencesIn(domains_[domain++], length);
    const std::vector<std::int32_t>& text = domains_[domain].heldOut;
    const auto size = static_cast<std::int64_t>(text.size());
    for (std::int64_t s = 0; s < length; ++s) {
      const auto t = static_cast<std::size_t>(b * length + s);
      const std::int64_t at = inDomain * length + s;
      batch.ids[t] = at < size ? text[static_cast<std::size_t>(at)] : 0;
      batch.targets[t] = at + 1 < size ? text[static_cast<std::size_t>(at + 1)] : -1;
      batch.positions[t] = static_cast<std::int32_t>(s);
      batch.domains[t] = static_cast<std::int32_t>(domain);
    }
  }
  return true;
}

}  // namespace moe
