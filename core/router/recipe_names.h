#pragma once
#include <string_view>
#include <utility>

#include "core/router/recipe.h"

namespace moe {

/// A word of the vocabulary, in files and on the screen, and the value it stands for.
template <class E>
using Word = std::pair<std::string_view, E>;

inline constexpr Word<ExpertKind> kExpertKinds[] = {{"mlp", ExpertKind::mlp},
                                                    {"glu", ExpertKind::glu},
                                                    {"clamped_glu", ExpertKind::clampedGlu},
                                                    {"linear", ExpertKind::linear}};
inline constexpr Word<Activation> kActivations[] = {{"relu", Activation::relu},
                                                    {"gelu", Activation::gelu},
                                                    {"gelu_tanh", Activation::geluTanh},
                                                    {"silu", Activation::silu}};
inline constexpr Word<Recipe::Experts::Init> kInits[] = {{"random", Recipe::Experts::Init::random},
                                                         {"dense_copy", Recipe::Experts::Init::denseCopy},
                                                         {"dense_slice", Recipe::Experts::Init::denseSlice}};
inline constexpr Word<Recipe::Logits::Kind> kLogits[] = {{"linear", Recipe::Logits::Kind::linear},
                                                         {"none", Recipe::Logits::Kind::none}};
inline constexpr Word<Recipe::Perturb::Noise> kNoises[] = {{"none", Recipe::Perturb::Noise::none},
                                                           {"gaussian", Recipe::Perturb::Noise::gaussian},
                                                           {"learned", Recipe::Perturb::Noise::learned}};
inline constexpr Word<Recipe::Perturb::AppliesTo> kNoiseReach[] = {
    {"both", Recipe::Perturb::AppliesTo::both}, {"selection", Recipe::Perturb::AppliesTo::selection}};
inline constexpr Word<Recipe::Perturb::Anneal> kAnneals[] = {{"none", Recipe::Perturb::Anneal::none},
                                                             {"linear", Recipe::Perturb::Anneal::linear},
                                                             {"cosine", Recipe::Perturb::Anneal::cosine}};
inline constexpr Word<Recipe::Score> kScores[] = {
    {"softmax", Recipe::Score::softmax}, {"sigmoid", Recipe::Score::sigmoid}, {"identity", Recipe::Score::identity}};
inline constexpr Word<Recipe::Adjust::RankBy> kRankings[] = {{"scores", Recipe::Adjust::RankBy::scores},
                                                             {"logits", Recipe::Adjust::RankBy::logits}};
inline constexpr Word<Recipe::Adjust::SelectionBias::Update> kUpdates[] = {
    {"sign", Recipe::Adjust::SelectionBias::Update::sign},
    {"proportional", Recipe::Adjust::SelectionBias::Update::proportional}};
inline constexpr Word<Recipe::Adjust::ExpertGroups::By> kGroupScores[] = {
    {"max", Recipe::Adjust::ExpertGroups::By::max}, {"top2_sum", Recipe::Adjust::ExpertGroups::By::top2Sum}};
inline constexpr Word<Recipe::Select::Kind> kSelects[] = {{"top_k", Recipe::Select::Kind::topK},
                                                          {"top_p", Recipe::Select::Kind::topP},
                                                          {"all", Recipe::Select::Kind::all},
                                                          {"hash", Recipe::Select::Kind::hash},
                                                          {"assignment", Recipe::Select::Kind::assignment},
                                                          {"expert_choice", Recipe::Select::Kind::expertChoice}};
inline constexpr Word<Recipe::Select::Generation> kGenerations[] = {{"refuse", Recipe::Select::Generation::refuse},
                                                                    {"past", Recipe::Select::Generation::past}};
inline constexpr Word<Recipe::Weigh::Kind> kWeighs[] = {{"score", Recipe::Weigh::Kind::score},
                                                        {"renormalised", Recipe::Weigh::Kind::renormalised},
                                                        {"softmax_selected", Recipe::Weigh::Kind::softmaxSelected},
                                                        {"one", Recipe::Weigh::Kind::one}};
inline constexpr Word<Recipe::Weigh::AppliesTo> kWeighReach[] = {{"output", Recipe::Weigh::AppliesTo::output},
                                                                 {"input", Recipe::Weigh::AppliesTo::input}};
inline constexpr Word<Recipe::Capacity::Rounding> kRoundings[] = {{"floor", Recipe::Capacity::Rounding::floor},
                                                                  {"ceil", Recipe::Capacity::Rounding::ceil},
                                                                  {"round", Recipe::Capacity::Rounding::round}};
inline constexpr Word<Recipe::Capacity::Order> kOrders[] = {
    {"slot", Recipe::Capacity::Order::slot},
    {"token", Recipe::Capacity::Order::token},
    {"batch_prioritised", Recipe::Capacity::Order::batchPrioritised},
    {"probability", Recipe::Capacity::Order::probability}};
inline constexpr Word<Recipe::Capacity::Overflow> kOverflows[] = {
    {"drop", Recipe::Capacity::Overflow::drop},
    {"next_best", Recipe::Capacity::Overflow::nextBest},
    {"no_token_left_behind", Recipe::Capacity::Overflow::noTokenLeftBehind}};
inline constexpr Word<Recipe::Block::MoeReads> kMoeReads[] = {
    {"post_attention", Recipe::Block::MoeReads::postAttention},
    {"pre_attention", Recipe::Block::MoeReads::preAttention}};
inline constexpr Word<Recipe::Head::Kind> kHeads[] = {{"linear", Recipe::Head::Kind::linear},
                                                      {"mixture", Recipe::Head::Kind::mixture}};
inline constexpr Word<Recipe::Head::Density> kDensities[] = {{"categorical", Recipe::Head::Density::categorical},
                                                             {"gaussian", Recipe::Head::Density::gaussian}};
inline constexpr Word<Recipe::Head::Form> kForms[] = {{"likelihood", Recipe::Head::Form::likelihood},
                                                      {"competitive", Recipe::Head::Form::competitive},
                                                      {"cooperative", Recipe::Head::Form::cooperative}};
inline constexpr Word<Recipe::BalanceTerm::Kind> kTerms[] = {
    {"load", Recipe::BalanceTerm::Kind::load},
    {"device", Recipe::BalanceTerm::Kind::device},
    {"communication", Recipe::BalanceTerm::Kind::communication},
    {"z", Recipe::BalanceTerm::Kind::z},
    {"entropy", Recipe::BalanceTerm::Kind::entropy},
    {"importance_cv2", Recipe::BalanceTerm::Kind::importanceCv2},
    {"load_cv2", Recipe::BalanceTerm::Kind::loadCv2}};
inline constexpr Word<Recipe::BalanceTerm::Normalisation> kNormalisations[] = {
    {"unit", Recipe::BalanceTerm::Normalisation::unit},
    {"per_token", Recipe::BalanceTerm::Normalisation::perToken},
    {"mean", Recipe::BalanceTerm::Normalisation::mean}};
inline constexpr Word<Recipe::BalanceTerm::Counts> kCounts[] = {{"all", Recipe::BalanceTerm::Counts::all},
                                                                {"first", Recipe::BalanceTerm::Counts::first}};
inline constexpr Word<Recipe::BalanceTerm::CountsFrom> kCountSources[] = {
    {"selected", Recipe::BalanceTerm::CountsFrom::selected},
    {"unadjusted", Recipe::BalanceTerm::CountsFrom::unadjusted}};
inline constexpr Word<Recipe::BalanceTerm::Scope> kScopes[] = {
    {"micro_batch", Recipe::BalanceTerm::Scope::microBatch},
    {"global_batch", Recipe::BalanceTerm::Scope::globalBatch},
    {"sequence", Recipe::BalanceTerm::Scope::sequence},
    {"token_group", Recipe::BalanceTerm::Scope::tokenGroup}};
inline constexpr Word<Recipe::BalanceTerm::Layers> kLayers[] = {
    {"separate", Recipe::BalanceTerm::Layers::separate},
    {"mean", Recipe::BalanceTerm::Layers::mean},
    {"concatenated", Recipe::BalanceTerm::Layers::concatenated}};

/// Word of a value in its table.
template <class E, std::size_t N>
constexpr std::string_view nameIn(const Word<E> (&table)[N], E value) {
  for (const Word<E>& row : table)
    if (row.second == value) return row.first;
  return "?";
}

}  // namespace moe
