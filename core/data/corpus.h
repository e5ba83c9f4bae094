#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/data/data_config.h"
#include "core/data/tokenizer.h"

namespace moe {

/// A batch of B sequences of S tokens, flattened batch-major. All vectors have B*S entries.
struct Batch {
  std::int64_t sequences = 0, length = 0;      // B, S
  std::vector<std::int32_t> ids;               // (T)
  std::vector<std::int32_t> targets;           // (T) next token; -1: masked
  std::vector<std::int32_t> positions;         // (T) 0..S-1
  std::vector<std::int32_t> domains;           // (T) index into Corpus::domains()
  std::int64_t tokens() const { return sequences * length; }
};

/// Tokenised text of one or more labelled domains, split into training and held-out parts. Immutable once made.
class Corpus {
 public:
  struct Domain {
    std::string name;
    std::vector<std::int32_t> training, heldOut;
  };

  Corpus(std::shared_ptr<const Tokenizer> tokenizer, std::vector<Domain> domains);

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  std::shared_ptr<const Tokenizer> sharedTokenizer() const { return tokenizer_; }
  const std::vector<Domain>& domains() const { return domains_; }
  std::int64_t trainingTokens() const;
  std::int64_t heldOutTokens() const;
  /// Entropy of the unigram distribution of the training part, nats a token: what a model that learns nothing but
  /// frequencies reaches.
  double unigramEntropy() const;

  /// Throws Error("data") saying how many training tokens are there and how many one batch needs, where they are too few.
  void requireBatch(std::int64_t sequences, std::int64_t length) const;

  /// Fills `batch` with training sequences drawn by Philox(seed, batches, step, microBatch): the same at any time, so
  /// the step is the data cursor. Domains are drawn in proportion to their length; one shorter than a sequence is read
  /// round and round.
  void drawTraining(Batch& batch, std::uint64_t seed, std::int64_t step, int microBatch, std::int64_t sequences,
                    std::int64_t length) const;
  std::int64_t heldOutSequences(std::int64_t length) const;
  /// Held-out sequences in order, from sequence `first`; false when fewer than one sequence is left. The last batch may
  /// be smaller (a whole number of sequences). A domain shorter than one sequence gives one, padded with masked targets.
  bool heldOutBatch(Batch& batch, std::int64_t first, std::int64_t sequences, std::int64_t length) const;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<Domain> domains_;
};

/// Reads and tokenises what `config` names. Errors ("data"): missing, empty, binary or non-UTF-8 file (with the byte
/// offset), an unreadable folder, no text in it.
std::shared_ptr<const Corpus> loadCorpus(const DataConfig& config);
/// The same with a tokenizer that is already given (a checkpoint's): the config's tokenizer is not trained anew.
std::shared_ptr<const Corpus> loadCorpus(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace moe
