#include "core/data/text_files.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/data/builtin_corpus.h"
#include "core/data/pretokenizer.h"
#include "core/data/token_list.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

/// Deeper than any sensible corpus.
constexpr int kDeepest = 16;

/// Entries of a folder by name, without hidden ones.
std::vector<fs::path> entriesOf(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code))
    if (!entry->path().filename().string().starts_with('.')) entries.push_back(entry->path());
  if (code)
    throw Error("data", folder.string() + ": expected a folder that can be read, found: " + code.message() +
                            "; change its permissions or choose another");
  std::sort(entries.begin(), entries.end(),
            [](auto& a, auto& b) { return a.filename().string() < b.filename().string(); });
  return entries;
}

/// Whether a folder is one of those that lead to it: linked into itself.
bool leadsBack(const fs::path& folder) {
  std::error_code code;
  const fs::path real = fs::canonical(folder, code);
  for (fs::path at = fs::absolute(folder, code), above = at.parent_path(); !code && above != at;
       at = above, above = at.parent_path())
    if (fs::canonical(above, code) == real) return true;
  return bool(code);
}

std::int64_t sizeOf(const fs::path& file) {
  std::error_code code;
  const auto bytes = fs::file_size(file, code);
  return code ? 0 : static_cast<std::int64_t>(bytes);
}

/// The files at and under `path`.
void addFiles(std::vector<TextFiles::File>& files, std::int64_t& skipped, const fs::path& path, int depth) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (fs::is_regular_file(status)) {
    files.push_back({path, sizeOf(path)});
    return;
  }
  if (!fs::is_directory(status) || leadsBack(path)) {
    ++skipped;
    return;
  }
  if (depth > kDeepest)
    throw Error("data", path.string() + ": expected folders at most " + std::to_string(kDeepest) +
                            " deep, found deeper ones; put the texts higher up");
  for (const fs::path& entry : entriesOf(path)) addFiles(files, skipped, entry, depth + 1);
}

/// Some of a text, from the beginnings of files that lie evenly among all.
std::string sampleOf(const TextFiles& texts) {
  constexpr std::size_t kFiles = 8, kBytes = 1 << 18;
  std::vector<const TextFiles::File*> files;
  for (const TextFiles::Domain& domain : texts.domains)
    for (const TextFiles::File& file : domain.files) files.push_back(&file);
  const std::size_t taken = std::min(kFiles, files.size());
  std::string sample;
  for (std::size_t i = 0; i < taken; ++i) {
    std::string some(kBytes / taken, '\0');
    std::ifstream in(files[i * files.size() / taken]->path, std::ios::binary);
    in.read(some.data(), static_cast<std::streamsize>(some.size()));
    sample.append(some, 0, static_cast<std::size_t>(in.gcount()));
  }
  return sample;
}

/// Words that spaces set apart come again: their number grows as a power of the text's (Heaps 1978). Long pieces of text
/// without spaces hardly ever do.
double distinctWords(double unspaced, double bytes) {
  constexpr double kWordBytes = 8, kBytesApart = 4.4, kHeapsFactor = 30, kHeapsPower = 0.55;
  const double spaced = (1 - unspaced) * bytes;
  return unspaced * bytes + std::min(spaced, kWordBytes * kHeapsFactor * std::pow(spaced / kBytesApart, kHeapsPower));
}

/// Share of a text that stands in long pieces without spaces.
double unspacedShare(const std::string& sample) {
  constexpr std::size_t kLong = 24;
  double unspaced = 0;
  Pretokenizer().split(sample, [&](std::string_view piece) {
    unspaced += piece.size() >= kLong ? static_cast<double>(piece.size()) : 0;
  });
  return unspaced / std::max<double>(1, static_cast<double>(sample.size()));
}

/// What a text takes besides its bytes, by a sample of it.
void estimate(TextSize& size, const DataConfig& config, const std::string& sample) {
  const auto bytes = static_cast<double>(size.bytes);
  const auto takes = [&](double tokens, int vocabulary) {
    size.tokens = static_cast<std::int64_t>(tokens * static_cast<double>(tokenBytes(vocabulary)));
  };
  switch (config.tokenizer) {
    case TokenizerKind::bytes: return takes(bytes, 256);
    case TokenizerKind::characters: {
      std::set<char32_t> met;
      double characters = 0;
      for (std::size_t at = 0; at < sample.size(); ++characters) met.insert(nextCodePoint(sample, at));
      return takes(sample.empty() ? bytes : bytes * characters / static_cast<double>(sample.size()),
                   static_cast<int>(met.size()) + 1);
    }
    case TokenizerKind::bpe: {
      // As English is cut by merges learnt from itself: 1.9 bytes a token with 512, 4.3 with 32,768.
      const double bytesAToken = 1.5 + 0.4 * std::log2(std::max(1.0, config.vocabulary / 256.0));
      size.words = static_cast<std::int64_t>(distinctWords(unspacedShare(sample), bytes));
      return takes(bytes / bytesAToken, config.vocabulary);
    }
  }
}

}  // namespace

std::int64_t TextFiles::bytes() const {
  std::int64_t sum = 0;
  for (const Domain& domain : domains)
    for (const File& file : domain.files) sum += file.bytes;
  return sum;
}

TextFiles findTexts(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (path.empty() || status.type() == fs::file_type::not_found)
    throw Error("data",
                path.string() + ": expected a text file or a folder of them, found nothing there; check the path");
  TextFiles texts;
  if (!fs::is_directory(status)) {
    texts.domains.push_back({path.stem().string(), {{path, sizeOf(path)}}});
    return texts;
  }
  for (const fs::path& entry : entriesOf(path)) {
    TextFiles::Domain domain{fs::is_directory(entry, code) ? entry.filename().string() : entry.stem().string(), {}};
    addFiles(domain.files, texts.skipped, entry, 1);
    if (!domain.files.empty()) texts.domains.push_back(std::move(domain));
  }
  return texts;
}

TextSize textSize(const DataConfig& config) {
  TextSize size;
  std::string sample;
  if (config.source.starts_with(kBuiltinText)) {
    size.bytes = size.largest = builtinBytes();
  } else {
    try {
      const TextFiles texts = findTexts(config.source);
      size.bytes = texts.bytes();
      for (const TextFiles::Domain& domain : texts.domains)
        for (const TextFiles::File& file : domain.files) size.largest = std::max(size.largest, file.bytes);
      if (config.tokenizer != TokenizerKind::bytes) sample = sampleOf(texts);
    } catch (const Error&) { return {}; }
  }
  estimate(size, config, sample);
  return size;
}

}  // namespace moe
