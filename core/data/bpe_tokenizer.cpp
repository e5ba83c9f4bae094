#include "core/data/bpe_tokenizer.h"

#include <algorithm>
#include <climits>
#include <nlohmann/json.hpp>

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

void BpeTokenizer::merge(std::vector<std::int32_t>& ids, Pair pair, std::int32_t id) {
  std::size_t out = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const bool meets = i + 1 < ids.size() && ids[i] == pair.first && ids[i + 1] == pair.second;
    ids[out++] = meets ? id : ids[i];
    if (meets) ++i;
  }
  ids.resize(out);
}

std::vector<std::int32_t> BpeTokenizer::encodePiece(std::string_view piece) const {
  const auto* bytes = reinterpret_cast<const unsigned char*>(piece.data());
  std::vector<std::int32_t> ids(bytes, bytes + piece.size());
  // The lowest rank first, as in training; pieces are short, so scanning beats a heap.
  while (ids.size() > 1) {
    std::int32_t best = INT_MAX;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i)
      if (const auto found = merged_.find(key({ids[i], ids[i + 1]})); found != merged_.end()) best = std::min(best, found->second);
    if (best == INT_MAX) break;
    merge(ids, merges_[static_cast<std::size_t>(best) - 256], best);
  }
  return ids;
}

std::vector<std::int32_t> BpeTokenizer::encode(std::string_view utf8) const {
  std::vector<std::int32_t> ids;
  std::unordered_map<std::string_view, std::vector<std::int32_t>> known;
  for (const std::string_view piece : pretokenizer_.split(utf8)) {
    const auto [entry, isNew] = known.try_emplace(piece);
    if (isNew) entry->second = encodePiece(piece);
    ids.insert(ids.end(), entry->second.begin(), entry->second.end());
  }
  return ids;
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
    throw Error("tokenizer", std::string("pretokenizer: expected \"") + Pretokenizer::kName + "\", found another or none" + remedy);
  const auto list = json.find("merges");
  if (list == json.end() || !list->is_array() || list->size() > kMostMerges)
    throw Error("tokenizer", "merges: expected a list of at most " + std::to_string(kMostMerges) + " pairs, found none" + remedy);
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
                                   entry.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 40) + remedy);
    const Pair pair(entry[0].get<std::int32_t>(), entry[1].get<std::int32_t>());
    // Doubling merges would otherwise grow a token past all memory.
    lengths.push_back(lengths[static_cast<std::size_t>(pair.first)] + lengths[static_cast<std::size_t>(pair.second)]);
    if (lengths.back() > kLongestToken)
      throw Error("tokenizer", subject + ": expected a token of at most " + std::to_string(kLongestToken) + " bytes, found " +
                                   std::to_string(lengths.back()) + remedy);
    merges.push_back(pair);
  }
  return std::make_unique<BpeTokenizer>(std::move(merges));
}

}  // namespace moe
