#pragma once
#include <memory>

#include "core/backend/backend.h"
#include "core/train/trainer.h"
#include "tests/support/tiny_model.h"

namespace moe::test {

/// A trainer of one thread on the tiny corpus, with the backend it needs.
struct Run {
  std::unique_ptr<Backend> backend;
  Trainer trainer;
  explicit Run(const RunConfig& config)
      : backend(makeBackend(
            {.name = config.backend, .threads = 1, .computeType = config.computeType.value_or(DType::f32)})),
        trainer(*backend, config, tinyCorpus()) {}
};

}  // namespace moe::test
