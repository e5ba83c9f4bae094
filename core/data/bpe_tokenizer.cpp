#include "core/data/bpe_tokenizer.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <queue>
#include <utility>

#include "core/base/error.h"

namespace moe {
namespace {

constexpr std::size_t kMostMerges = 1'000'000;
constexpr std::size_t kLongestToken = 1 << 16;

}  // namespace

BpeTokenizer::BpeTokenizer(std::vector<Pair> merges) : merges_(std::move(merges)) {
  for (int byte = 0; byte < 256; ++byte) bytes_.emplace_back(1, static_cast<char>(byte));
  merged_.reserve(merges_.size());
  for (const Pair& pair : merges_) {
    merged_.emplace(key(pair), static_cast<std::int32_t>(bytes_.size()));
    bytes_.push_back(bytes_[static_cast<std::size_t>(pair.first)] + bytes_[static_cast<std::size_t>(pair.second)]);
  }
}

/// Appends. The lowest rank first and the leftmost of it, as in training.
void BpeTokenizer::encodePiece(std::string_view piece, std::vector<std::int32_t>& ids) const {
  struct Token {
    std::int32_t id;
    int before, after;  // places in `tokens`; -1: none
  };
  struct Chance {
    std::int32_t merged;
    int place, after;
    bool operator>(const Chance& other) const {
      return merged != other.merged ? merged > other.merged : place > other.place;
    }
  };
  std::vector<Token> tokens;
  const int end = static_cast<int>(piece.size());
  for (int i = 0; i < end; ++i)
    tokens.push_back({static_cast<unsigned char>(piece[static_cast<std::size_t>(i)]), i - 1, i + 1 < end ? i + 1 : -1});
  std::priority_queue<Chance, std::vector<Chance>, std::greater<>> chances;
  const auto at = [&tokens](int place) -> Token& { return tokens[static_cast<std::size_t>(place)]; };
  const auto consider = [&](int place) {
    if (place < 0 || at(place).after < 0) return;
    const int after = at(place).after;
    if (const auto found = merged_.find(key({at(place).id, at(after).id})); found != merged_.end())
      chances.push({found->second, place, after});
  };
  for (int i = 0; i < end; ++i) consider(i);
  while (!chances.empty()) {
    const Chance chance = chances.top();
    chances.pop();
    // One of the two may have been merged since.
    const Pair& pair = merges_[static_cast<std::size_t>(chance.merged) - 256];
    if (at(chance.place).id != pair.first || at(chance.place).after != chance.after ||
        at(chance.after).id != pair.second)
      continue;
    Token& token = at(chance.place);
    at(chance.after).id = -1;
    token.id = chance.merged;
    token.after = at(chance.after).after;
    if (token.after >= 0) at(token.after).before = chance.place;
    consider(token.before);
    consider(chance.place);
  }
  for (int i = 0; i >= 0 && i < end; i = at(i).after) ids.push_back(at(i).id);
}

void BpeTokenizer::encode(std::string_view utf8, const TokenSink& sink) const {
  constexpr std::size_t kLongestKept = 32, kMostKept = 1 << 18;  // longer pieces are seldom met again
  std::vector<std::int32_t> ids;
  std::size_t bytes = 0;  // of the text of these
  std::unordered_map<std::string_view, std::vector<std::int32_t>> known;
  pretokenizer_.split(utf8, [&](std::string_view piece) {
    const auto found = known.find(piece);
    if (found != known.end()) {
      ids.insert(ids.end(), found->second.begin(), found->second.end());
    } else {
      const std::size_t begin = ids.size();
      encodePiece(piece, ids);
      if (piece.size() <= kLongestKept && known.size() < kMostKept)
        known.try_emplace(piece, ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end());
    }
    bytes += piece.size();
    if (ids.size() < kTokensAtOnce) return;
    sink(ids, std::exchange(bytes, 0));
    ids.clear();
  });
  if (!ids.empty()) sink(ids, bytes);
}

std::string BpeTokenizer::bytesOf(std::int32_t id) const {
  return id < 0 || id >= vocabulary() ? std::string() : bytes_[static_cast<std::size_t>(id)];
}

nlohmann::json BpeTokenizer::toJson() const {
  nlohmann::json merges = nlohmann::json::array();
  for (const Pair& pair : merges_) merges.push_back({pair.first, pair.second});
  return {{"kind", "bpe"}, {"pretokenizer", Pretokenizer::kName}, {"merges", std::move(merges)}};
}

std::unique_ptr<Tokenizer> BpeTokenizer::fromJson(const nlohmann::json& json) {
  const std::string remedy = "; take the file that was saved with the model";
  const auto pattern = json.find("pretokenizer");
  if (pattern == json.end() || *pattern != Pretokenizer::kName)
    throw Error("tokenizer",
                std::string("pretokenizer: expected \"") + Pretokenizer::kName + "\", found another or none" + remedy);
  const auto list = json.find("merges");
  if (list == json.end() || !list->is_array() || list->size() > kMostMerges)
    throw Error("tokenizer",
                "merges: expected a list of at most " + std::to_string(kMostMerges) + " pairs, found none" + remedy);
  std::vector<Pair> merges;
  std::vector<std::size_t> lengths(256, 1);
  for (const nlohmann::json& entry : *list) {
    const std::string subject = "merges." + std::to_string(merges.size());
    const auto highest = static_cast<std::int64_t>(lengths.size()) - 1;
    const auto fits = [&](const nlohmann::json& id) {
      return id.is_number_integer() && id.get<std::int64_t>() >= 0 && id.get<std::int64_t>() <= highest;
    };
    if (!entry.is_array() || entry.size() != 2 || !fits(entry[0]) || !fits(entry[1]))
      throw Error("tokenizer", subject + ": expected two ids from 0 to " + std::to_string(highest) + ", found " +
                                   entry.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 40) +
                                   remedy);
    const Pair pair(entry[0].get<std::int32_t>(), entry[1].get<std::int32_t>());
    // Doubling merges would otherwise grow a token past all memory.
    lengths.push_back(lengths[static_cast<std::size_t>(pair.first)] + lengths[static_cast<std::size_t>(pair.second)]);
    if (lengths.back() > kLongestToken)
      throw Error("tokenizer", subject + ": expected a token of at most " + std::to_string(kLongestToken) +
                                   " bytes, found " + std::to_string(lengths.back()) + remedy);
    merges.push_back(pair);
  }
  return std::make_unique<BpeTokenizer>(std::move(merges));
}

}  // namespace moe
