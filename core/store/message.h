#pragma once
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "core/base/error.h"
#include "core/store/run_store.h"
#include "core/telemetry/points.h"
#include "core/telemetry/study.h"

// What a store holds, as bytes between two processes of one machine (so: in its own byte order).
namespace moe {

/// The members that travel, in order. One that is added to a struct and not here does not compile.
auto membersOf(
    auto& run) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(run)>>, RunSummary> {
  return std::tie(run.id, run.name, run.note, run.preset, run.config, run.seed, run.created, run.parent, run.parentStep,
                  run.state, run.steps, run.targetSteps, run.trainLoss, run.validationLoss, run.validatedTokens,
                  run.heldOutTokens, run.textChecksum, run.totalParameters, run.activeParameters, run.alerts);
}
auto membersOf(
    auto& row) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(row)>>, CheckpointRow> {
  return std::tie(row.run, row.step, row.path, row.healthy, row.pinned, row.bytes);
}
/// The numbers that a point inherits, as they are: of the point's own constness.
template <class Numbers>
auto& numbersOf(auto& point) {
  using Point = std::remove_reference_t<decltype(point)>;
  return static_cast<std::conditional_t<std::is_const_v<Point>, const Numbers, Numbers>&>(point);
}
auto membersOf(
    auto& point) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(point)>>, StepPoint> {
  return std::tie(numbersOf<RunMetrics>(point), point.run, point.step, point.validationLoss, point.balance,
                  point.layers);
}
auto membersOf(
    auto& point) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(point)>>, LayerPoint> {
  return std::tie(numbersOf<LayerMetrics>(point), point.layer, point.load, point.assignments, point.balance,
                  point.termGradient);
}
auto membersOf(
    auto& event) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(event)>>, RunEvent> {
  return std::tie(event.run, event.step, event.kind, event.path, event.oldValue, event.newValue, event.layer,
                  event.expert, event.utilization, event.text);
}
auto membersOf(
    auto& study) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(study)>>, RunStudy> {
  return std::tie(study.run, study.step, study.domains, study.domainTokens, study.tokens, study.layers);
}
auto membersOf(
    auto& layer) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(layer)>>, LayerStudy> {
  return std::tie(layer.layer, layer.experts, layer.slots, layer.selections, layer.listed, layer.coactivation,
                  layer.domains, layer.inputSpecialisation, layer.nextSpecialisation, layer.predictedSpecialisation,
                  layer.maxVioGlobal);
}

/// The last of an enumeration's values: a larger one is no value.
constexpr RunSummary::State lastOf(RunSummary::State) { return RunSummary::State::interrupted; }
constexpr RunEvent::Kind lastOf(RunEvent::Kind) { return RunEvent::Kind::failed; }

namespace message_detail {
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class K, class V>
struct IsMap<std::map<K, V>> : std::true_type {};

/// Nothing but numbers: travels as it lies in memory.
template <class T>
inline constexpr bool kNumbers =
    std::is_arithmetic_v<T> || std::is_same_v<T, RunMetrics> || std::is_same_v<T, LayerMetrics>;

/// Stands for any value in an aggregate's braces.
struct Anything {
  template <class T>
  operator T() const;  // never called
};
template <class T, class... Given>
constexpr std::size_t memberCount() {
  if constexpr (requires { T{Given{}..., Anything{}}; })
    return memberCount<T, Given..., Anything>();
  else
    return sizeof...(Given);
}
}  // namespace message_detail

class MessageWriter {
 public:
  template <class T>
  MessageWriter& put(const T& value) {
    using namespace message_detail;
    if constexpr (std::is_same_v<T, bool>) {
      put(static_cast<std::uint8_t>(value));
    } else if constexpr (kNumbers<T> || std::is_enum_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      const std::string_view text = value;
      put(static_cast<std::uint64_t>(text.size()));
      bytes_.append(text);
    } else if constexpr (IsOptional<T>::value) {
      put(value.has_value());
      if (value) put(*value);
    } else if constexpr (requires {
                           value.size();
                           value.begin();
                         }) {
      put(static_cast<std::uint64_t>(value.size()));
      for (const auto& element : value) put(element);
    } else if constexpr (requires {
                           value.first;
                           value.second;
                         }) {
      put(value.first).put(value.second);
    } else {
      const auto members = membersOf(value);
      static_assert(std::tuple_size_v<decltype(members)> == memberCount<T>(), "a member of the struct does not travel");
      std::apply([this](const auto&... member) { (put(member), ...); }, members);
    }
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Of bytes from another process: every length and value is checked. Throws Error("store").
class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T take() {
    using namespace message_detail;
    if constexpr (std::is_same_v<T, bool>) {
      return take<std::uint8_t>() != 0;
    } else if constexpr (std::is_enum_v<T>) {
      T value{};
      copy(&value, sizeof value);
      using Number = std::underlying_type_t<T>;
      if (static_cast<Number>(value) < 0 || static_cast<Number>(value) > static_cast<Number>(lastOf(T{}))) damaged();
      return value;
    } else if constexpr (kNumbers<T>) {
      T value{};
      copy(&value, sizeof value);
      return value;
    } else if constexpr (std::is_same_v<T, std::string>) {
      std::string text(takeCount(), '\0');
      copy(text.data(), text.size());
      return text;
    } else if constexpr (IsOptional<T>::value) {
      return take<bool>() ? T(take<typename T::value_type>()) : T();
    } else if constexpr (IsVector<T>::value) {
      T values;
      for (std::size_t left = takeCount(); left > 0; --left) values.push_back(take<typename T::value_type>());
      return values;
    } else if constexpr (IsMap<T>::value) {
      T values;
      for (std::size_t left = takeCount(); left > 0; --left) {
        auto key = take<typename T::key_type>();
        values.insert_or_assign(std::move(key), take<typename T::mapped_type>());
      }
      return values;
    } else {
      T value;
      std::apply([this](auto&... member) { ((member = take<std::remove_reference_t<decltype(member)>>()), ...); },
                 membersOf(value));
      return value;
    }
  }
  /// Nothing may be left over.
  void end() const {
    if (!rest_.empty()) damaged();
  }

 private:
  /// Of elements that take a byte each at least, so that no length makes room for more than was sent.
  std::size_t takeCount() {
    const auto count = take<std::uint64_t>();
    if (count > rest_.size()) damaged();
    return static_cast<std::size_t>(count);
  }
  void copy(void* to, std::size_t size) {
    if (size > rest_.size()) damaged();
    if (size > 0) std::memcpy(to, rest_.data(), size);
    rest_.remove_prefix(size);
  }
  [[noreturn]] static void damaged() {
    throw Error("store",
                "a message between two programs: expected one whole, found it damaged; use the same version of both");
  }

  std::string_view rest_;
};

}  // namespace moe
