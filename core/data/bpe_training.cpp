#include <algorithm>
#include <cstdint>
#include <iterator>
#include <queue>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/base/error.h"
#include "core/data/bpe_tokenizer.h"

// Byte-pair encoding by Sennrich, Haddow, Birch 2016 (arXiv:1508.07909), on bytes, over the distinct pieces of the text.

namespace moe {
namespace {

/// The distinct pieces of texts that are given one after the other, as if they stood in one, and how often each is met.
class Words {
 public:
  Words() : known_(8, Hash{this}, Equal{this}) {}

  void add(std::string_view text, const std::function<void(std::size_t)>& counted) {
    if (!open_.empty()) text.remove_prefix(closeInto(text, counted));
    std::string_view last;
    std::size_t bytes = 0;
    pretokenizer_.split(text, [&](std::string_view piece) {
      if (!last.empty()) count(last);
      last = piece;
      bytes += piece.size();
      if (bytes < kTokensAtOnce) return;
      if (counted) counted(std::exchange(bytes, 0));
    });
    if (counted) counted(bytes);
    if (!text.empty()) open_ = last;
  }
  void finish() {
    if (!open_.empty()) count(std::exchange(open_, {}));
    known_ = decltype(known_)(0, Hash{this}, Equal{this});
  }

  std::size_t size() const { return counts_.size(); }
  std::string_view word(std::size_t i) const {
    return std::string_view(letters_).substr(begins_[i], end(i) - begins_[i]);
  }
  std::int64_t count(std::size_t i) const { return counts_[i]; }
  std::size_t letters() const { return letters_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    const Words* words;
    std::size_t operator()(std::string_view piece) const { return std::hash<std::string_view>()(piece); }
    std::size_t operator()(std::size_t i) const { return (*this)(words->word(i)); }
  };
  struct Equal {
    using is_transparent = void;
    const Words* words;
    bool operator()(std::string_view piece, std::size_t i) const { return piece == words->word(i); }
    bool operator()(std::size_t i, std::string_view piece) const { return piece == words->word(i); }
    bool operator()(std::size_t i, std::size_t j) const { return i == j; }
  };

  std::size_t end(std::size_t i) const { return i + 1 < begins_.size() ? begins_[i + 1] : letters_.size(); }

  void count(std::string_view piece) {
    const auto found = known_.find(piece);
    if (found != known_.end()) {
      ++counts_[*found];
      return;
    }
    begins_.push_back(letters_.size());
    counts_.push_back(1);
    letters_ += piece;
    known_.insert(counts_.size() - 1);
  }

  /// Counts the last piece of the text before, which the beginning of this one may lengthen. Returns the bytes it took of it.
  std::size_t closeInto(std::string_view text, const std::function<void(std::size_t)>& counted) {
    constexpr std::size_t kLongerThanAnyPiece = 1024;
    const std::string joined = open_ + std::string(text.substr(0, kLongerThanAnyPiece));
    std::string_view first;
    pretokenizer_.split(joined, [&](std::string_view piece) { first = first.empty() ? piece : first; });
    const std::size_t taken = first.size() - open_.size();
    if (taken == text.size()) {
      open_ = joined;  // all of a short text: the next one may lengthen it still
    } else {
      count(first);
      open_.clear();
    }
    if (counted) counted(taken);
    return taken;
  }

  const Pretokenizer pretokenizer_;
  std::string letters_;              // of all words, one behind the other, in the order of first meeting
  std::vector<std::size_t> begins_;  // of each in letters_
  std::vector<std::int64_t> counts_;
  std::unordered_set<std::size_t, Hash, Equal> known_;
  std::string open_;  // the last piece of the text so far, not yet counted
};

/// The distinct pieces lie one behind the other, a place a byte, each ended by a place that holds none. A token stands at
/// its first byte's place; merging leaves the places behind it empty, so that a merge costs what it changes and no more.
class Training {
 public:
  explicit Training(const Words& words) {
    const std::size_t places = words.letters() + words.size();
    if (places > kNowhere)
      throw Error(
          "tokenizer",
          "expected at most 4 GB of distinct words to train on, found more; choose less text or the tokenizer bytes");
    ids_.assign(places, kNone);
    before_.resize(places);
    for (std::size_t word = 0, begin = 0; word < words.size(); ++word) {
      const std::string_view piece = words.word(word);
      words_.push_back({begin, words.count(word)});
      for (std::size_t i = 0; i < piece.size(); ++i) {
        ids_[begin + i] = static_cast<unsigned char>(piece[i]);
        before_[begin + i] = i == 0 ? kNowhere : static_cast<Place>(begin + i - 1);
      }
      begin += piece.size() + 1;
    }
    words_.push_back({places, 0});
    for (std::size_t word = 0; word + 1 < words_.size(); ++word)
      for (std::size_t place = words_[word].begin; ids_[place + 1] != kNone; ++place)
        pairAt(place, place + 1).count += words_[word].count;
    std::erase_if(pairs_, [](const auto& entry) { return entry.second.count < 2; });
    for (std::size_t place = 0; place + 1 < places; ++place)
      if (ids_[place] != kNone && ids_[place + 1] != kNone)
        if (const auto found = pairs_.find(BpeTokenizer::key({ids_[place], ids_[place + 1]})); found != pairs_.end())
          found->second.places.push_back(static_cast<Place>(place));
    for (const auto& [key, pair] : pairs_) queue_.push({pair.count, pair.met, key});
  }

  /// The pair met most often and merges it into `id`; false where no pair is met twice.
  bool mergeNext(BpeTokenizer::Pair& merged, std::int32_t id) {
    while (!queue_.empty()) {
      const Entry top = queue_.top();
      queue_.pop();
      const auto found = pairs_.find(top.key);
      if (found == pairs_.end()) continue;
      const PairCount& pair = found->second;
      if (pair.count < 2) {
        pairs_.erase(found);
      } else if (pair.count != top.count) {  // fewer since: back in line
        queue_.push({pair.count, pair.met, top.key});
      } else {
        merged = BpeTokenizer::pairOf(top.key);
        const std::vector<Place> places = std::move(found->second.places);
        pairs_.erase(found);
        merge(merged, places, id);
        return true;
      }
    }
    return false;
  }

 private:
  using Place = std::uint32_t;
  static constexpr Place kNowhere = UINT32_MAX;
  static constexpr std::int32_t kNone = -1;

  struct Word {
    std::size_t begin;
    std::int64_t count;
  };
  /// Tokens come to stand side by side only when one of them is made: after that merge a pair is met less and less, so one
  /// that is met once is let go.
  struct PairCount {
    std::int64_t count = 0;
    std::size_t met = 0;        // in the order of first meeting
    std::vector<Place> places;  // of its first token, in order, where it stands or once did
  };
  struct Entry {
    std::int64_t count;
    std::size_t met;
    std::uint64_t key;
    bool operator<(const Entry& other) const { return count != other.count ? count < other.count : met > other.met; }
  };

  PairCount& pairAt(std::size_t place, std::size_t next) {
    const auto [entry, isNew] = pairs_.try_emplace(BpeTokenizer::key({ids_[place], ids_[next]}));
    if (isNew) entry->second.met = met_++;
    return entry->second;
  }

  /// The place behind a token: the next token's, or the end of its word.
  std::size_t after(std::size_t place) const { return place + lengths_[static_cast<std::size_t>(ids_[place])]; }

  void take(std::int32_t first, std::int32_t second, std::int64_t count) {
    if (const auto found = pairs_.find(BpeTokenizer::key({first, second})); found != pairs_.end())
      found->second.count -= count;
  }

  void add(std::size_t place, std::size_t next, std::int64_t count) {
    PairCount& pair = pairAt(place, next);
    if (pair.count == 0) made_.push_back(BpeTokenizer::key({ids_[place], ids_[next]}));
    pair.count += count;
    pair.places.push_back(static_cast<Place>(place));
  }

  void merge(BpeTokenizer::Pair pair, const std::vector<Place>& places, std::int32_t id) {
    const auto [first, second] = pair;
    lengths_.push_back(lengths_[static_cast<std::size_t>(first)] + lengths_[static_cast<std::size_t>(second)]);
    auto word = words_.begin();
    for (auto at = places.begin(); at != places.end();) {
      word = std::upper_bound(word, words_.end(), *at,
                              [](Place place, const Word& other) { return place < other.begin; }) -
             1;
      const std::size_t end = std::next(word)->begin;
      merged_.clear();
      for (; at != places.end() && *at < end; ++at) {
        const std::size_t place = *at;
        if (ids_[place] != first) continue;
        const std::size_t next = after(place);
        if (ids_[next] != second) continue;
        // A neighbour that was merged just now has lost its pair with this one already.
        if (const Place left = before_[place]; left != kNowhere && ids_[left] != id)
          take(ids_[left], first, word->count);
        const std::size_t behind = after(next);
        if (ids_[behind] != kNone) {
          take(second, ids_[behind], word->count);
          before_[behind] = static_cast<Place>(place);
        }
        ids_[place] = id;
        ids_[next] = kNone;
        merged_.push_back(place);
      }
      // Only now, so that pairs are met in the order in which they stand when all of the word is merged.
      for (const std::size_t place : merged_) {
        if (const Place left = before_[place]; left != kNowhere && ids_[left] != id) add(left, place, word->count);
        if (const std::size_t next = after(place); ids_[next] != kNone) add(place, next, word->count);
      }
    }
    for (const std::uint64_t key : made_) {
      const auto found = pairs_.find(key);
      if (found->second.count < 2)
        pairs_.erase(found);
      else
        queue_.push({found->second.count, found->second.met, key});
    }
    made_.clear();
  }

  std::vector<Word> words_;        // in the order of first meeting; one more, of nothing, at the end
  std::vector<std::int32_t> ids_;  // (places) kNone within a token and behind a word
  std::vector<Place> before_;      // (places) where the token before it stands, or kNowhere
  std::vector<std::size_t> lengths_ = std::vector<std::size_t>(256, 1);  // bytes of each id
  std::unordered_map<std::uint64_t, PairCount> pairs_;                   // by BpeTokenizer::key
  std::size_t met_ = 0;                                                  // pairs so far
  std::priority_queue<Entry> queue_;  // holds an entry at least as high for each pair
  std::vector<std::size_t> merged_;   // places, within one word
  std::vector<std::uint64_t> made_;   // pairs, within one merge
};

class BpeTraining final : public TokenizerTraining {
 public:
  explicit BpeTraining(int vocabulary) : vocabulary_(vocabulary), words_(std::make_unique<Words>()) {
    if (vocabulary < 256)
      throw Error("tokenizer", "vocabulary: expected at least the 256 bytes, found " + std::to_string(vocabulary) +
                                   "; choose a larger one");
  }
  void add(std::string_view utf8, const std::function<void(std::size_t)>& counted) override {
    words_->add(utf8, counted);
  }
  std::unique_ptr<Tokenizer> finish(const Progress& progress) override {
    words_->finish();
    Training training(*words_);
    words_.reset();
    Steps steps(progress, "learning the tokenizer", vocabulary_ - 256);
    std::vector<BpeTokenizer::Pair> merges;
    for (BpeTokenizer::Pair pair; 256 + static_cast<int>(merges.size()) < vocabulary_; steps.add(1)) {
      if (!training.mergeNext(pair, 256 + static_cast<std::int32_t>(merges.size()))) break;
      merges.push_back(pair);
    }
    return std::make_unique<BpeTokenizer>(std::move(merges));
  }

 private:
  const int vocabulary_;
  std::unique_ptr<Words> words_;
};

}  // namespace

std::unique_ptr<TokenizerTraining> bpeTraining(int vocabulary) { return std::make_unique<BpeTraining>(vocabulary); }

std::unique_ptr<Tokenizer> trainBpeTokenizer(std::string_view text, int vocabulary) {
  BpeTraining training(vocabulary);
  training.add(text, {});
  return training.finish({});
}

}  // namespace moe
