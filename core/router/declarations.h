#pragma once

namespace moe {

struct Recipe;
struct Routing;
struct RoutingInput;
template <class Config>
struct SettingTable;
template <class Config>
struct SettingList;

/// How much of the pipeline runs: training uses every stage; evaluation switches off draws and `force`; generation
/// (one token at a time, and the inspection of a text) switches capacity off too.
enum class Phase { training, evaluation, generation };

}  // namespace moe
