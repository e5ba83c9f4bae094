#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/data/data_config.h"

namespace moe {

/// The texts that a path names, found and not yet read.
struct TextFiles {
  struct File {
    std::filesystem::path path;
    std::int64_t bytes = 0;
  };
  struct Domain {
    std::string name;
    std::vector<File> files;
  };
  std::vector<Domain> domains;  // in order of name
  std::int64_t skipped = 0;     // entries of folders that are no regular files

  std::int64_t bytes() const;
};

/// One file, or every entry of a folder as a domain of its own. Throws Error("data") where there is nothing, a folder cannot
/// be read, or lies too deep.
TextFiles findTexts(const std::filesystem::path& path);

/// What loading a text takes, told without reading more of it than a sample.
struct TextSize {
  std::int64_t bytes = 0;    // of all files
  std::int64_t largest = 0;  // of one file: what is held while it is cut into tokens
  std::int64_t tokens = 0;   // bytes that it takes as tokens, estimated
  std::int64_t words =
      0;  // bytes of distinct words that byte-pair encoding learns from, estimated; 0 for other tokenizers
};

/// All 0 where there is no text: what is wrong with it is loadCorpus's to say.
TextSize textSize(const DataConfig& config);

}  // namespace moe
