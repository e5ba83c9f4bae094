#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moe {

/// One thing that is measured of a trained arm.
struct Measure {
  std::string_view id, label, unit;
  int digits;  // after the point, in a table
};

/// All of them. "validation_loss@N" is the first one after N steps, 0 before the first.
const std::vector<Measure>& measures();

struct NamedMeasure {
  const Measure* measure = nullptr;  // null: there is none of that name
  std::int64_t step = -1;            // of a name with "@"; else -1: at the end
};
NamedMeasure measureNamed(std::string_view name);

/// "0.412", or "0.412 (0.398 to 0.431)" where the values differ.
std::string textOfValues(const std::vector<double>& values, int digits);
double meanOf(const std::vector<double>& values);

/// What an arm gave on one seed.
struct ArmResult {
  std::vector<std::pair<std::string, double>> values;       // by measure id; only those this model has
  std::vector<std::pair<std::int64_t, double>> validation;  // step, nats a token; from step 0 on
  double seconds = 0;                                       // that training and measuring took
  /// Of a name as measureNamed takes it; nothing where this model has no such value.
  std::optional<double> value(std::string_view name) const;
};

}  // namespace moe
