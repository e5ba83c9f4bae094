#pragma once
#include <functional>

#include "core/session/training_session.h"

namespace moe::ui {

/// What the window needs of a worker: the three calls of TrainingSession. A test hands in its own and plays the worker.
struct SessionPort {
  std::function<void(Command)> post;
  std::function<Outbox()> take;
  std::function<void(std::function<void()>)> setNotifier;
};

/// The session must outlive the port's user.
SessionPort portOf(TrainingSession& session);

}  // namespace moe::ui
