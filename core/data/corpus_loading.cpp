#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/data/builtin_corpus.h"
#include "core/data/corpus.h"
#include "core/data/text_files.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;  // of one file

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

/// The texts of a corpus, read one at a time and as often as is asked for, so that no two of them are held at once.
class Texts {
 public:
  explicit Texts(const DataConfig& config) {
    if (!config.source.starts_with(kBuiltinText)) {
      files_ = findTexts(config.source);
      return;
    }
    if (config.source != "builtin:domains")
      throw Error(
          "data",
          config.source + ": expected \"builtin:domains\" or a path, found another built-in name; choose one of these");
    for (LabelledText& text : builtinDomains(config.corpusSeed)) {
      files_.domains.push_back({text.name, {{text.name, static_cast<std::int64_t>(text.text.size())}}});
      builtin_.push_back(std::move(text.text));
    }
  }

  const TextFiles& files() const { return files_; }
  /// May be empty.
  std::string read(std::size_t domain, std::size_t file) const {
    return builtin_.empty() ? readTextFile(files_.domains[domain].files[file].path) : builtin_[domain];
  }

 private:
  TextFiles files_;
  std::vector<std::string> builtin_;  // a text a domain
};

/// Where the held-out part of a text begins: at a character.
std::size_t splitOf(std::string_view text, double heldOut) {
  const double share = std::clamp(heldOut, 0.0, 1.0);
  auto at = static_cast<std::size_t>(static_cast<double>(text.size()) * (1 - share));
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

std::shared_ptr<const Tokenizer> trainTokenizer(const DataConfig& config, const Texts& texts,
                                                const Progress& progress) {
  if (config.tokenizer == TokenizerKind::bytes) return makeByteTokenizer();
  const auto training =
      config.tokenizer == TokenizerKind::characters ? characterTraining() : bpeTraining(config.vocabulary);
  Steps steps(progress, "reading the text", static_cast<double>(texts.files().bytes()));
  for (std::size_t domain = 0; domain < texts.files().domains.size(); ++domain)
    for (std::size_t file = 0; file < texts.files().domains[domain].files.size(); ++file) {
      const std::string text = texts.read(domain, file);
      // What is held out teaches the tokenizer nothing either.
      const std::size_t split = splitOf(text, config.heldOut);
      training->add(std::string_view(text).substr(0, split),
                    [&](std::size_t bytes) { steps.add(static_cast<double>(bytes)); });
      steps.add(static_cast<double>(text.size() - split));
    }
  return training->finish(progress);
}

/// What loading held in small pieces goes back to the system: the model comes next.
void giveBack() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

std::shared_ptr<const Corpus> tokenise(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
                                       const Texts& texts, const Progress& progress) {
  const TextFiles& files = texts.files();
  Steps steps(progress, "cutting the text into tokens", static_cast<double>(files.bytes()));
  std::vector<Corpus::Domain> domains;
  for (std::size_t domain = 0; domain < files.domains.size(); ++domain) {
    const int vocabulary = tokenizer->vocabulary();
    Corpus::Domain made{files.domains[domain].name, TokenList(vocabulary), TokenList(vocabulary)};
    const auto append = [&](TokenList& ids, std::string_view text) {
      tokenizer->encode(text, [&](std::span<const std::int32_t> more, std::size_t bytes) {
        ids.append(more);
        steps.add(static_cast<double>(bytes));
      });
    };
    double bytes = 0;  // no text has more tokens
    for (const TextFiles::File& file : files.domains[domain].files) bytes += static_cast<double>(file.bytes);
    const double heldOut = std::clamp(config.heldOut, 0.0, 1.0) * bytes;
    made.training.reserve(static_cast<std::size_t>(bytes - heldOut));
    made.heldOut.reserve(static_cast<std::size_t>(heldOut));
    for (std::size_t file = 0; file < files.domains[domain].files.size(); ++file) {
      const std::string text = texts.read(domain, file);
      const std::size_t split = splitOf(text, config.heldOut);
      append(made.training, std::string_view(text).substr(0, split));
      append(made.heldOut, std::string_view(text).substr(split));
    }
    if (made.training.size() + made.heldOut.size() > 0) domains.push_back(std::move(made));
  }
  if (domains.empty()) {
    const bool one = files.domains.size() == 1 && files.domains[0].files.size() == 1 &&
                     files.domains[0].files[0].path == fs::path(config.source);
    throw Error(
        "data",
        config.source + (one ? ": expected text, found an empty file; choose another"
                             : ": expected text files in this folder, found no text; choose another or put some in"));
  }
  giveBack();
  return std::make_shared<const Corpus>(std::move(tokenizer), std::move(domains), files.skipped);
}

}  // namespace

std::shared_ptr<const Corpus> loadCorpus(const DataConfig& config, const Progress& progress) {
  const Texts texts(config);
  return tokenise(config, trainTokenizer(config, texts, progress), texts, progress);
}

std::shared_ptr<const Corpus> loadCorpus(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
                                         const Progress& progress) {
  return tokenise(config, std::move(tokenizer), Texts(config), progress);
}

}  // namespace moe
