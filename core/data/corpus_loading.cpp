#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/data/builtin_corpus.h"
#include "core/data/corpus.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;  // of one file
constexpr std::string_view kBuiltin = "builtin:";

/// The texts of one domain: a file each.
struct DomainTexts {
  std::string name;
  std::vector<std::string> files;
};

struct Texts {
  std::vector<DomainTexts> domains;
  std::int64_t skipped = 0;  // entries that are no regular files
};

/// Checked UTF-8 without a byte order mark; may be empty.
std::string readTextFile(const fs::path& path) {
  std::string text = readFile("data", path, kMostBytes);
  if (const auto offset = firstBinaryByte(text)) {
    char byte[8];
    std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(text[*offset]));
    throw Error("data", path.string() + ": expected UTF-8 text, found binary data (byte " + byte + " at offset " +
                            std::to_string(*offset) + "); choose a text file");
  }
  if (const auto offset = firstInvalidUtf8(text))
    throw Error("data", path.string() + ": expected UTF-8 text, found bytes that are not UTF-8 at offset " +
                            std::to_string(*offset) + "; save it as UTF-8 and load it again");
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  return text;
}

/// Entries of a folder by name, without hidden ones.
std::vector<fs::path> entriesOf(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code))
    if (!entry->path().filename().string().starts_with('.')) entries.push_back(entry->path());
  if (code)
    throw Error("data", folder.string() + ": expected a folder that can be read, found: " + code.message() +
                            "; change its permissions or choose another");
  std::sort(entries.begin(), entries.end(), [](auto& a, auto& b) { return a.filename().string() < b.filename().string(); });
  return entries;
}

/// Deeper than any sensible corpus.
constexpr int kDeepest = 16;

/// Whether a folder is one of those that lead to it: linked into itself.
bool leadsBack(const fs::path& folder) {
  std::error_code code;
  const fs::path real = fs::canonical(folder, code);
  for (fs::path at = fs::absolute(folder, code), above = at.parent_path(); !code && above != at; at = above, above = at.parent_path())
    if (fs::canonical(above, code) == real) return true;
  return bool(code);
}

/// The texts at and under `path`.
void addFiles(std::vector<std::string>& files, std::int64_t& skipped, const fs::path& path, int depth) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (fs::is_regular_file(status)) {
    if (std::string text = readTextFile(path); !text.empty()) files.push_back(std::move(text));
    return;
  }
  if (!fs::is_directory(status) || leadsBack(path)) {
    ++skipped;
    return;
  }
  if (depth > kDeepest)
    throw Error("data", path.string() + ": expected folders at most " + std::to_string(kDeepest) + " deep, found deeper ones; put the texts higher up");
  for (const fs::path& entry : entriesOf(path)) addFiles(files, skipped, entry, depth + 1);
}

Texts readTexts(const DataConfig& config) {
  if (config.source.starts_with(kBuiltin)) {
    if (config.source != "builtin:domains")
      throw Error("data", config.source + ": expected \"builtin:domains\" or a path, found another built-in name; choose one of these");
    Texts texts;
    for (LabelledText& text : builtinDomains(config.corpusSeed)) texts.domains.push_back({text.name, {std::move(text.text)}});
    return texts;
  }
  const fs::path path = config.source;
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (config.source.empty() || status.type() == fs::file_type::not_found)
    throw Error("data", config.source + ": expected a text file or a folder of them, found nothing there; check the path");
  Texts texts;
  if (!fs::is_directory(status)) {
    std::string text = readTextFile(path);
    if (text.empty()) throw Error("data", config.source + ": expected text, found an empty file; choose another");
    texts.domains.push_back({path.stem().string(), {std::move(text)}});
    return texts;
  }
  for (const fs::path& entry : entriesOf(path)) {
    DomainTexts domain{fs::is_directory(entry, code) ? entry.filename().string() : entry.stem().string(), {}};
    addFiles(domain.files, texts.skipped, entry, 1);
    if (!domain.files.empty()) texts.domains.push_back(std::move(domain));
  }
  if (texts.domains.empty())
    throw Error("data", config.source + ": expected text files in this folder, found no text; choose another or put some in");
  return texts;
}

/// Where the held-out part of a text begins: at a character.
std::size_t splitOf(std::string_view text, double heldOut) {
  const double share = std::clamp(heldOut, 0.0, 1.0);
  auto at = static_cast<std::size_t>(static_cast<double>(text.size()) * (1 - share));
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

std::shared_ptr<const Tokenizer> trainTokenizer(const DataConfig& config, const std::vector<DomainTexts>& domains) {
  if (config.tokenizer == TokenizerKind::bytes) return makeByteTokenizer();
  // What is held out teaches the tokenizer nothing either.
  std::string joined;
  std::string_view training;
  if (domains.size() == 1 && domains[0].files.size() == 1) {
    const std::string& text = domains[0].files[0];
    training = std::string_view(text).substr(0, splitOf(text, config.heldOut));
  } else {
    for (const DomainTexts& domain : domains)
      for (const std::string& text : domain.files) joined += std::string_view(text).substr(0, splitOf(text, config.heldOut));
    training = joined;
  }
  if (config.tokenizer == TokenizerKind::characters) return trainCharacterTokenizer(training);
  return trainBpeTokenizer(training, config.vocabulary);
}

/// Lets each text go when its tokens are there.
std::shared_ptr<const Corpus> tokenise(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer, Texts texts) {
  std::vector<Corpus::Domain> domains;
  for (DomainTexts& domain : texts.domains) {
    const int vocabulary = tokenizer->vocabulary();
    Corpus::Domain& made = domains.emplace_back(Corpus::Domain{domain.name, TokenList(vocabulary), TokenList(vocabulary)});
    const auto append = [&](TokenList& ids, std::string_view text) {
      tokenizer->encode(text, [&ids](std::span<const std::int32_t> more) { ids.append(more); });
    };
    std::size_t training = 0, heldOut = 0;  // bytes: no text has more tokens
    for (const std::string& text : domain.files) {
      const std::size_t split = splitOf(text, config.heldOut);
      training += split;
      heldOut += text.size() - split;
    }
    made.training.reserve(training);
    made.heldOut.reserve(heldOut);
    for (std::string& text : domain.files) {
      const std::size_t split = splitOf(text, config.heldOut);
      append(made.training, std::string_view(text).substr(0, split));
      append(made.heldOut, std::string_view(text).substr(split));
      text = std::string();
    }
  }
  return std::make_shared<const Corpus>(std::move(tokenizer), std::move(domains), texts.skipped);
}

}  // namespace

std::shared_ptr<const Corpus> loadCorpus(const DataConfig& config) {
  Texts texts = readTexts(config);
  std::shared_ptr<const Tokenizer> tokenizer = trainTokenizer(config, texts.domains);
  return tokenise(config, std::move(tokenizer), std::move(texts));
}

std::shared_ptr<const Corpus> loadCorpus(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer) {
  return tokenise(config, std::move(tokenizer), readTexts(config));
}

}  // namespace moe
