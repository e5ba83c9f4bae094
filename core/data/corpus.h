#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/data/data_config.h"
#include "core/data/token_list.h"
#include "core/data/tokenizer.h"

namespace moe {

/// A batch of B sequences of S tokens, flattened batch-major. All vectors have B*S entries.
struct Batch {
  std::int64_t sequences = 0, length = 0;  // B, S
  std::vector<std::int32_t> ids;           // (T)
  std::vector<std::int32_t> targets;       // (T) next token; -1: masked
  std::vector<std::int32_t> positions;     // (T) 0..S-1
  std::vector<std::int32_t> domains;       // (T) index into Corpus::domains()
  std::int64_t tokens() const { return sequences * length; }
};

/// A stretch of one domain's held-out part: what one held-out sequence is read from.
struct HeldOutWindow {
  std::int32_t domain = 0;             // index into Corpus::domains()
  std::int64_t start = 0, length = 0;  // tokens, within Domain::heldOut
  bool operator==(const HeldOutWindow&) const = default;
};

/// Tokenised text of one or more labelled domains, split into training and held-out parts. Immutable once made.
class Corpus {
 public:
  struct Domain {
    std::string name;
    TokenList training, heldOut;
  };

  /// `skipped`: entries of the text's folder that are no regular files, and so no text.
  Corpus(std::shared_ptr<const Tokenizer> tokenizer, std::vector<Domain> domains, std::int64_t skipped = 0);

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  std::shared_ptr<const Tokenizer> sharedTokenizer() const { return tokenizer_; }
  const std::vector<Domain>& domains() const { return domains_; }
  std::int64_t skipped() const { return skipped_; }
  std::int64_t trainingTokens() const;
  std::int64_t heldOutTokens() const;
  /// Of every domain's tokens in order, whatever the files are called: tells whether two texts train the same.
  std::uint64_t checksum() const;
  /// Entropy of the unigram distribution of the training part, nats a token: what a model that learns nothing but
  /// frequencies reaches.
  double unigramEntropy() const;

  /// Throws Error("data") saying how many training tokens are there and how many one batch needs, where they are too few.
  void requireBatch(std::int64_t sequences, std::int64_t length) const;
  /// Throws Error("data") where no domain has two held-out tokens: one to read and one to predict.
  void requireHeldOut() const;

  /// Fills `batch` with training sequences drawn by Philox(seed, batches, step, microBatch): the same at any time, so
  /// the step is the data cursor. Domains are drawn in proportion to their length; one shorter than a sequence is read
  /// round and round.
  void drawTraining(Batch& batch, std::uint64_t seed, std::int64_t step, int microBatch, std::int64_t sequences,
                    std::int64_t length) const;
  /// Windows of `length` tokens that lie end to end in every domain, each token with its target; a domain of no more
  /// than `length` tokens gives one of its own length, so that nothing is ever padded. Where they hold more than
  /// `maxTokens`, so many of them as fit, spread evenly over all the text and so over the domains in proportion to their
  /// length; where not even one fits, one cut to `maxTokens`. The same every time; longest first, else in order.
  std::vector<HeldOutWindow> heldOutWindows(std::int64_t length, std::int64_t maxTokens) const;
  /// Fills `batch` with the first of `windows`, at most `sequences` and all of one length, and takes them off the front;
  /// false when none is left. The last token of a domain has no target: -1.
  bool heldOutBatch(Batch& batch, std::span<const HeldOutWindow>& windows, std::int64_t sequences) const;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<Domain> domains_;
  std::int64_t skipped_ = 0;
};

/// Reads and tokenises what `config` names. Errors ("data"): missing, empty, binary or non-UTF-8 file (with the byte
/// offset), an unreadable folder, no text in it. What is neither a regular file nor a folder (a pipe, a socket, a device, a
/// link that leads nowhere or back to a folder it lies in) is refused, or skipped and counted where it lies in a folder.
/// One file is held at a time, and read twice where a tokenizer is learnt.
std::shared_ptr<const Corpus> loadCorpus(const DataConfig& config, const Progress& progress = {});
/// The same with a tokenizer that is already given (a checkpoint's): the config's tokenizer is not trained anew.
std::shared_ptr<const Corpus> loadCorpus(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
                                         const Progress& progress = {});

}  // namespace moe
