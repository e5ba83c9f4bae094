#include <algorithm>
#include <queue>

#include "core/base/error.h"
#include "core/data/bpe_tokenizer.h"

// Byte-pair encoding by Sennrich, Haddow, Birch 2016 (arXiv:1508.07909), on bytes, over the distinct pieces of the text.

namespace moe {
namespace {

class Training {
 public:
  explicit Training(std::string_view text) {
    const Pretokenizer pretokenizer;
    std::unordered_map<std::string_view, std::size_t> seen;
    for (const std::string_view piece : pretokenizer.split(text)) {
      const auto [entry, isNew] = seen.try_emplace(piece, words_.size());
      if (isNew) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(piece.data());
        words_.push_back({{bytes, bytes + piece.size()}, 0});
      }
      ++words_[entry->second].count;
    }
    for (std::size_t word = 0; word < words_.size(); ++word) count(word, 1);
  }

  /// The pair met most often and merges it into `id`; false where no pair is met twice.
  bool mergeNext(BpeTokenizer::Pair& merged, std::int32_t id) {
    while (!queue_.empty()) {
      const Entry top = queue_.top();
      queue_.pop();
      PairCount& pair = pairs_[top.pair];
      if (pair.count < 2) continue;
      if (pair.count != top.count) {  // it has changed since: back in line
        queue_.push({pair.count, top.pair});
        continue;
      }
      merged = pair.pair;
      std::vector<std::size_t> words = std::move(pair.words);
      std::sort(words.begin(), words.end());
      words.erase(std::unique(words.begin(), words.end()), words.end());
      for (const std::size_t word : words) {
        count(word, -1);
        BpeTokenizer::merge(words_[word].ids, merged, id);
        count(word, 1);
      }
      return true;
    }
    return false;
  }

 private:
  struct Word {
    std::vector<std::int32_t> ids;
    std::int64_t count;
  };
  struct PairCount {
    BpeTokenizer::Pair pair;
    std::int64_t count = 0;
    std::vector<std::size_t> words;  // that hold it, or once did
  };
  struct Entry {
    std::int64_t count;
    std::size_t pair;  // index in the order of first meeting
    bool operator<(const Entry& other) const { return count != other.count ? count < other.count : pair > other.pair; }
  };

  void count(std::size_t word, int sign) {
    const std::vector<std::int32_t>& ids = words_[word].ids;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const BpeTokenizer::Pair pair(ids[i], ids[i + 1]);
      const auto [entry, isNew] = index_.try_emplace(BpeTokenizer::key(pair), pairs_.size());
      if (isNew) pairs_.push_back({pair, 0, {}});
      PairCount& counted = pairs_[entry->second];
      counted.count += sign * words_[word].count;
      if (sign < 0) continue;
      if (counted.words.empty() || counted.words.back() != word) counted.words.push_back(word);
      queue_.push({counted.count, entry->second});
    }
  }

  std::vector<Word> words_;
  std::vector<PairCount> pairs_;
  std::unordered_map<std::uint64_t, std::size_t> index_;  // pair's key -> index in pairs_
  std::priority_queue<Entry> queue_;                       // holds at least one entry as high as each pair's count
};

}  // namespace

std::unique_ptr<Tokenizer> trainBpeTokenizer(std::string_view text, int vocabulary) {
  if (vocabulary < 256)
    throw Error("tokenizer", "vocabulary: expected at least the 256 bytes, found " + std::to_string(vocabulary) + "; choose a larger one");
  Training training(text);
  std::vector<BpeTokenizer::Pair> merges;
  for (BpeTokenizer::Pair pair; 256 + static_cast<int>(merges.size()) < vocabulary;) {
    if (!training.mergeNext(pair, 256 + static_cast<std::int32_t>(merges.size()))) break;
    merges.push_back(pair);
  }
  return std::make_unique<BpeTokenizer>(std::move(merges));
}

}  // namespace moe
