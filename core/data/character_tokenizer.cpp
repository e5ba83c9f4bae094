#include "core/data/character_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/utf8.h"

namespace moe {

CharacterTokenizer::CharacterTokenizer(std::vector<char32_t> characters) : characters_(std::move(characters)) {
  for (std::size_t i = 0; i < characters_.size(); ++i) ids_.emplace(characters_[i], static_cast<std::int32_t>(i) + 1);
}

namespace {

class CharacterTraining final : public TokenizerTraining {
 public:
  void add(std::string_view text, const std::function<void(std::size_t)>& counted) override {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at, end = std::min(text.size(), begin + kTokensAtOnce);
      while (at < end) ++counts_[nextCodePoint(text, at)];
      if (counted) counted(at - begin);
    }
  }
  std::unique_ptr<Tokenizer> finish(const Progress&) override {
    std::vector<std::pair<char32_t, std::int64_t>> byFrequency;
    for (std::size_t character = 0; character < counts_.size(); ++character)
      if (counts_[character] > 0) byFrequency.emplace_back(static_cast<char32_t>(character), counts_[character]);
    std::stable_sort(byFrequency.begin(), byFrequency.end(), [](auto& a, auto& b) { return a.second > b.second; });
    std::vector<char32_t> characters;
    for (const auto& [character, count] : byFrequency) characters.push_back(character);
    return std::make_unique<CharacterTokenizer>(std::move(characters));
  }

 private:
  std::vector<std::int64_t> counts_ = std::vector<std::int64_t>(0x110000);  // by code point
};

}  // namespace

std::unique_ptr<TokenizerTraining> characterTraining() { return std::make_unique<CharacterTraining>(); }

std::unique_ptr<Tokenizer> trainCharacterTokenizer(std::string_view text) {
  CharacterTraining training;
  training.add(text, {});
  return training.finish({});
}

void CharacterTokenizer::encode(std::string_view utf8, const TokenSink& sink) const {
  std::vector<std::int32_t> ids;
  std::size_t begin = 0;  // of the text of these
  for (std::size_t at = 0; at < utf8.size();) {
    const auto found = ids_.find(nextCodePoint(utf8, at));
    ids.push_back(found == ids_.end() ? 0 : found->second);
    if (ids.size() < kTokensAtOnce && at < utf8.size()) continue;
    sink(ids, at - begin);
    begin = at;
    ids.clear();
  }
}

std::string CharacterTokenizer::bytesOf(std::int32_t id) const {
  std::string bytes;
  if (id < 0 || id >= vocabulary()) return bytes;
  appendUtf8(bytes, id == 0 ? U'\uFFFD' : characters_[static_cast<std::size_t>(id) - 1]);
  return bytes;
}

nlohmann::json CharacterTokenizer::toJson() const {
  std::string characters;
  for (const char32_t character : characters_) appendUtf8(characters, character);
  return {{"kind", "characters"}, {"characters", characters}};
}

std::unique_ptr<Tokenizer> CharacterTokenizer::fromJson(const nlohmann::json& json) {
  const auto found = json.find("characters");
  if (found == json.end() || !found->is_string())
    throw Error("tokenizer",
                "characters: expected a string of them, found none; take the file that was saved with the model");
  const std::string& text = found->get_ref<const std::string&>();
  std::vector<char32_t> characters;
  for (std::size_t at = 0; at < text.size();) characters.push_back(nextCodePoint(text, at));
  std::vector<char32_t> sorted = characters;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw Error("tokenizer",
                "characters: expected each once, found one twice; take the file that was saved with the model");
  return std::make_unique<CharacterTokenizer>(std::move(characters));
}

}  // namespace moe
