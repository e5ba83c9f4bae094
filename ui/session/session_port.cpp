#include "ui/session/session_port.h"

namespace moe::ui {

SessionPort portOf(TrainingSession& session) {
  return {.post = [&session](Command command) { session.post(std::move(command)); },
          .take = [&session] { return session.take(); },
          .setNotifier = [&session](std::function<void()> notifier) { session.setNotifier(std::move(notifier)); }};
}

}  // namespace moe::ui
