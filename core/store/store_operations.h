#pragma once
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <vector>

#include "core/store/message.h"
#include "core/store/run_store.h"

// What changes a store, and so goes to the process that holds it: a message names an operation by its place here. One that
// is added, moved or changed is a new kLinkVersion.
namespace moe {

inline constexpr std::uint32_t kLinkVersion = 1;

inline constexpr auto appendPoints =
    static_cast<void (RunStore::*)(RunId, std::span<const StepPoint>)>(&RunStore::append);
inline constexpr auto appendEvent = static_cast<void (RunStore::*)(const RunEvent&)>(&RunStore::append);
inline constexpr auto appendStudy = static_cast<void (RunStore::*)(const RunStudy&)>(&RunStore::append);

template <auto... Operation>
struct OperationList {};
using StoreOperations =
    OperationList<&RunStore::claim, &RunStore::release, &RunStore::createRun, &RunStore::setName, &RunStore::setNote,
                  &RunStore::setState, &RunStore::setTargetSteps, &RunStore::setText, &RunStore::deleteRun,
                  appendPoints, appendEvent, appendStudy, &RunStore::truncate, &RunStore::recordCheckpoint,
                  &RunStore::removeCheckpoint, &RunStore::setPinned, &RunStore::setSetting>;

template <auto>
struct OperationTag {};

template <auto Wanted, auto... Operation>
constexpr std::uint16_t placeOf(OperationList<Operation...>) {
  std::uint16_t place = 0;
  const bool found = ((std::is_same_v<OperationTag<Wanted>, OperationTag<Operation>> || (++place, false)) || ...);
  return found ? place : UINT16_MAX;
}

/// What an argument is kept as between being read and being given.
template <class T>
struct KeptAs {
  using Type = std::remove_cvref_t<T>;
};
template <class T>
struct KeptAs<std::span<const T>> {
  using Type = std::vector<T>;
};

template <class Result, class... Values>
void putArguments(MessageWriter& message, Result (RunStore::*)(Values...),
                  const std::remove_cvref_t<Values>&... values) {
  (message.put(values), ...);
}

/// Reads the arguments of `Operation`, does it, and returns its result as bytes.
template <class Result, class... Values>
std::string carryOut(RunStore& store, Result (RunStore::*operation)(Values...), MessageReader& arguments) {
  // Braces keep the order.
  std::tuple<typename KeptAs<std::remove_cvref_t<Values>>::Type...> values{
      arguments.take<typename KeptAs<std::remove_cvref_t<Values>>::Type>()...};
  arguments.end();
  MessageWriter result;
  std::apply(
      [&](const auto&... value) {
        if constexpr (std::is_void_v<Result>)
          (store.*operation)(value...);
        else
          result.put((store.*operation)(value...));
      },
      values);
  return result.take();
}

template <class Operation>
struct ResultOfOperation;
template <class Result, class... Values>
struct ResultOfOperation<Result (RunStore::*)(Values...)> {
  using Type = Result;
};

}  // namespace moe
