#pragma once
#include <optional>
#include <string>

#include "core/data/text_files.h"
#include "core/telemetry/run_facts.h"
#include "core/train/run_config.h"

namespace moe {

/// What explanations of a run's numbers need to know of its configuration and, where that is known, of its text.
RunFacts factsOf(const RunConfig& config, const TextSize& text = {});

/// One a balance term of the layers with experts, as the first of them says it.
std::vector<RunFacts::Term> balanceTermsOf(const ModelConfig& model);

/// Whether the run's routing of a token reads tokens that come after it, which a causal model must not: to be said on
/// every picture of the run.
bool seesLaterTokens(const ModelConfig& config);

/// The configuration that a stored run keeps as JSON text; nothing where it cannot be read.
std::optional<RunConfig> configFromText(const std::string& config);

}  // namespace moe
