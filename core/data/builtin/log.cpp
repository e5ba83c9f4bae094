#include "core/data/builtin/draws.h"

// A minute or so of one service's log: time only goes on, a request that starts also ends, under the same number.

namespace moe::builtin {
namespace {

constexpr std::array<Words, 8> kServices{"auth", "mail", "cache", "proxy", "index", "billing", "search", "backup"};
constexpr std::array<Words, 8> kPaths{"/login", "/status", "/api/items", "/api/users",
                                      "/home",  "/search", "/files",     "/cart"};
constexpr std::array<Words, 5> kWarnings{"slow disk", "retrying connection", "queue is long", "clock skew",
                                         "certificate expires soon"};

}  // namespace

std::string logPassage(Draws& draws) {
  const std::string date = join(
      {digits(draws.between(2019, 2026)), "-", padded(draws.between(1, 12), 2), "-", padded(draws.between(1, 28), 2)});
  const std::string service(draws.pick(kServices)), host = "node" + padded(draws.between(1, 12), 2);
  int second = draws.below(86'000), request = draws.between(100, 9000);
  std::string text;
  const auto line = [&](Words level, const std::string& message) {
    text += join({date, "T", padded(second / 3600, 2), ":", padded(second / 60 % 60, 2), ":", padded(second % 60, 2),
                  "Z ", host, " ", service, " [", level, "] ", message, "\n"});
  };
  for (int i = 0, count = draws.between(2, 4); i < count; ++i, ++request) {
    const std::string path(draws.pick(kPaths)), tag = "req=" + digits(request);
    line("INFO", tag + " GET " + path);
    second += draws.between(1, 9);
    if (draws.chance(20)) line("WARN", std::string(draws.pick(kWarnings)));
    const bool failed = draws.chance(12);
    line(failed ? "ERROR" : "INFO",
         join({tag, " status=", failed ? "500" : "200", " ms=", digits(draws.between(2, 900))}));
    second += draws.between(1, 9);
  }
  return text;
}

}  // namespace moe::builtin
