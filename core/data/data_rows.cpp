#include "core/data/data_rows.h"

namespace moe {

const SettingTable<DataConfig>& dataRows() {
  using namespace rows;
  static const SettingTable<DataConfig> table = SettingTable<DataConfig>{
      "data",
      "Data",
      "The text the model learns from.",
      {bytes<&DataConfig::source>({.path = "data.source"}),
       choice<&DataConfig::tokenizer>(
           {.path = "data.tokenizer", .label = "Tokenizer", .tooltip = "How text becomes tokens."},
           Choices<TokenizerKind>{
               {TokenizerKind::bytes, {"bytes", "Bytes", "V = 256", "Every byte is a token: any text works."}},
               {TokenizerKind::characters,
                {"characters", "Characters", "V = characters in the text", "Every character of the text is a token."}},
               {TokenizerKind::bpe,
                {"bpe", "Byte pairs (BPE)", "V = 256 + merges",
                 "Frequent pieces become tokens, learned from the text."}}}),
       value<&DataConfig::vocabulary>({.path = "data.vocabulary",
                                       .label = "Vocabulary",
                                       .minimum = 257,
                                       .maximum = 65536,
                                       .step = 64,
                                       .unit = "tokens",
                                       .formula = "V",
                                       .tooltip = "How many tokens byte-pair encoding is trained to: the 256 bytes "
                                                  "and what is merged from them."})
           .when([](const DataConfig& data) { return data.tokenizer == TokenizerKind::bpe; }),
       value<&DataConfig::heldOut>({.path = "data.held_out",
                                    .label = "Held out",
                                    .minimum = 0.000001,
                                    .maximum = 0.999999,
                                    .step = 0.05,
                                    .unit = "of each file",
                                    .formula = "last share of each file",
                                    .tooltip = "The end of each file, kept for validation and never trained on."}),
       value<&DataConfig::corpusSeed>({.path = "data.corpus_seed",
                                       .label = "Corpus seed",
                                       .maximum = kMostSeed,
                                       .step = 1,
                                       .formula = "seed",
                                       .tooltip = "Which built-in corpus is written."})
           .when([](const DataConfig& data) {
             return data.source == "builtin:domains";
           })}}.withDefaultsOf();
  return table;
}

}  // namespace moe
