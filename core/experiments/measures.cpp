#include "core/experiments/measures.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "core/base/number_text.h"

namespace moe {

const std::vector<Measure>& measures() {
  static const std::vector<Measure> all{
      {"validation_loss", "held-out loss", "nats a token", 4},
      {"max_vio_global", "MaxVio, held-out text", "mean of the layers", 3},
      {"max_vio_batch", "MaxVio, batch", "last 100 batches, mean of the layers", 3},
      {"max_vio_worst", "MaxVio, worst batch", "of all steps and layers", 3},
      {"dead_experts", "dead experts", "below 5 % of the fair share over the last 50 steps", 1},
      {"rise_without_shared", "loss without shared expert", "rise in nats a token, one routed more, mean of the layers",
       4},
      {"rise_without_routed", "loss without a routed expert", "rise in nats a token, mean of all", 4},
      {"rise_without_worst_routed", "loss without the routed expert missed most", "rise in nats a token", 4},
      {"active_parameters", "active parameters", "", 0},
      {"total_parameters", "parameters", "", 0},
  };
  return all;
}

NamedMeasure measureNamed(std::string_view name) {
  NamedMeasure named;
  const std::size_t at = name.find('@');
  const std::string_view id = name.substr(0, at);
  if (at != std::string_view::npos) {
    const std::string_view digits = name.substr(at + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), named.step);
    if (error != std::errc{} || end != digits.data() + digits.size() || named.step < 0 || id != "validation_loss")
      return {};
  }
  const auto found = std::ranges::find(measures(), id, &Measure::id);
  if (found != measures().end()) named.measure = &*found;
  return named;
}

double meanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string textOfValues(const std::vector<double>& values, int digits) {
  const auto text = [&](double value) { return fixedText(value, digits); };
  const auto [least, most] = std::ranges::minmax(values);
  const std::string mean = text(meanOf(values)), low = text(least), high = text(most);
  return low == high ? mean : mean + " (" + low + " to " + high + ")";
}

std::optional<double> ArmResult::value(std::string_view name) const {
  const NamedMeasure named = measureNamed(name);
  if (named.step >= 0) {
    const auto found = std::ranges::find(validation, named.step, &std::pair<std::int64_t, double>::first);
    return found == validation.end() ? std::nullopt : std::optional(found->second);
  }
  const auto found = std::ranges::find(values, name, &std::pair<std::string, double>::first);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace moe
