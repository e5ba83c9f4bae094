#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/tensor/tensor.h"

namespace moe {

/// Tables that a backend keeps on its device; its own business. Empty lists beside them say nothing: ask
/// Backend::read(Routing&) first.
struct DeviceTables {
  virtual ~DeviceTables() = default;
};

/// The one value between routing and the experts: lists of assignments (token, expert, weight) ordered by expert.
/// Within an expert the admitted assignments come first, then the dropped ones, each in ascending token order.
/// Experts read only the admitted; loads, drops and the inspector read all. Vectors keep their capacity between steps.
struct Dispatch {
  std::int64_t tokens = 0;                // T
  std::int32_t experts = 0;               // E
  std::vector<std::int32_t> expertBegin;  // (E+1) expert e owns assignments [expertBegin[e], expertBegin[e+1])
  std::vector<std::int32_t> admittedEnd;  // (E)   of these, [expertBegin[e], admittedEnd[e]) are admitted
  std::vector<std::int32_t> token;        // (A) token of each assignment
  std::vector<std::int32_t> slot;         // (A) which of the token's choices it is: column of the (T,k) tables
  std::vector<double> weight;             // (A) w, scale included; f64 so that both scalar types pass through exactly
  std::vector<std::int32_t> tokenBegin;   // (T+1) token t owns entries [tokenBegin[t], tokenBegin[t+1]) of:
  std::vector<std::int32_t>
      assignmentOf;         // (admitted) its admitted assignments in slot order: the order of combine's sum
  bool everyToken = false;  // every expert takes every token in order: rows need no gathering
  std::shared_ptr<DeviceTables> device;  // null: the host has it all

  std::int64_t assignments() const { return static_cast<std::int64_t>(token.size()); }
  std::int64_t admitted() const { return static_cast<std::int64_t>(assignmentOf.size()); }
};

/// Each of `experts` experts takes all T tokens with weight 1: shared experts, and the dense feed-forward (experts = 1).
void dispatchEveryToken(Dispatch& out, std::int64_t tokens, std::int32_t experts);

}  // namespace moe
