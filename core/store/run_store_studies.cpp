#include <cstring>

#include "core/store/run_store_impl.h"

namespace moe {
namespace {

constexpr std::int64_t kMostNarrow = 32'767;  // experts whose numbers fit two bytes

/// Names, each ended by a zero byte, which no file name holds.
std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + '\0';
  return text;
}

std::vector<std::string> split(Bytes bytes, char end) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t stop = std::min(text.find(end, begin), text.size());
    names.emplace_back(text.substr(begin, stop - begin));
    begin = stop + 1;
  }
  return names;
}

template <class T>
std::optional<std::vector<T>> valuesOf(Bytes bytes, std::int64_t count) {
  if (count < 0 || bytes.size() % sizeof(T) != 0 || static_cast<std::int64_t>(bytes.size() / sizeof(T)) != count)
    return std::nullopt;
  std::vector<T> values(static_cast<std::size_t>(count));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

template <class T>
Bytes bytesOf(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace

void RunStore::append(const RunStudy& study) {
  if (handedOver<appendStudy>(study)) return;
  Transaction transaction(impl_->db);
  impl_->requireRun(study.run);
  impl_->db.run("DELETE FROM layer_studies WHERE run = ? AND step = ?", study.run, study.step);
  const std::string domains = joined(study.domains);
  impl_->db.run("INSERT OR REPLACE INTO studies(run, step, tokens, domains, domain_tokens) VALUES(?, ?, ?, ?, ?)",
                study.run, study.step, study.tokens, std::as_bytes(std::span(domains)), bytesOf(study.domainTokens));
  for (const LayerStudy& layer : study.layers) {
    // In two bytes each where every expert's number fits.
    std::vector<std::int16_t> narrow;
    if (layer.experts <= kMostNarrow) narrow.assign(layer.selections.begin(), layer.selections.end());
    const Bytes selections = layer.experts <= kMostNarrow ? bytesOf(narrow) : bytesOf(layer.selections);
    impl_->db.run(
        "INSERT INTO layer_studies(run, step, layer, experts, slots, selections, coactivation, domain_shares, "
        "input_specialisation, next_specialisation, predicted_specialisation, max_vio_global) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        study.run, study.step, layer.layer, layer.experts, layer.slots, selections, bytesOf(layer.coactivation),
        bytesOf(layer.domains), static_cast<double>(layer.inputSpecialisation),
        static_cast<double>(layer.nextSpecialisation), static_cast<double>(layer.predictedSpecialisation),
        static_cast<double>(layer.maxVioGlobal));
  }
  transaction.commit();
}

void RunStore::Impl::truncateStudies(RunId run, std::int64_t step) {
  db.run("DELETE FROM studies WHERE run = ? AND step > ?", run, step);
  db.run("DELETE FROM layer_studies WHERE run = ? AND step > ?", run, step);
}

std::vector<std::shared_ptr<const RunStudy>> RunStore::studies(RunId run) const {
  std::vector<std::shared_ptr<const RunStudy>> studies;
  for (const std::int64_t step : studySteps(run)) studies.push_back(study(run, step));
  return studies;
}

std::vector<std::int64_t> RunStore::studySteps(RunId run) const {
  std::vector<std::int64_t> steps;
  if (impl_->version < 2) return steps;
  for (Rows rows = impl_->db.query("SELECT step FROM studies WHERE run = ? ORDER BY step", run); rows.next();)
    steps.push_back(rows.integer(0));
  return steps;
}

std::shared_ptr<const RunStudy> RunStore::study(RunId run, std::int64_t step) const {
  if (impl_->version < 2) return nullptr;
  const auto checked = [&](auto values) {
    if (!values) impl_->damaged();
    return std::move(*values);
  };
  Rows rows =
      impl_->db.query("SELECT tokens, domains, domain_tokens FROM studies WHERE run = ? AND step = ?", run, step);
  if (!rows.next()) return nullptr;
  auto study = std::make_shared<RunStudy>();
  study->run = run;
  study->step = step;
  study->tokens = rows.integer(0);
  study->domains = split(rows.blob(1), impl_->version < 3 ? '\n' : '\0');
  const auto domains = static_cast<std::int64_t>(study->domains.size());
  study->domainTokens = checked(valuesOf<std::int64_t>(rows.blob(2), domains));
  Rows layers = impl_->db.query(
      "SELECT layer, experts, slots, selections, coactivation, domain_shares, input_specialisation, "
      "next_specialisation, "
      "predicted_specialisation, max_vio_global FROM layer_studies WHERE run = ? AND step = ? ORDER BY layer",
      run, study->step);
  while (layers.next()) {
    constexpr std::int64_t kMost = 1 << 20;  // experts, slots or tokens that anyone could have written
    const std::int64_t experts = layers.integer(1), slots = layers.integer(2);
    if (experts < 0 || experts > kMost || slots < 0 || slots > kMost || study->tokens < 0 || study->tokens > kMost)
      impl_->damaged();
    LayerStudy& layer = study->layers.emplace_back();
    layer.layer = static_cast<int>(layers.integer(0));
    layer.experts = static_cast<std::int32_t>(experts);
    layer.slots = static_cast<std::int32_t>(slots);
    if (experts <= kMostNarrow) {
      const std::vector<std::int16_t> narrow = checked(valuesOf<std::int16_t>(layers.blob(3), study->tokens * slots));
      layer.selections.assign(narrow.begin(), narrow.end());
    } else {
      layer.selections = checked(valuesOf<std::int32_t>(layers.blob(3), study->tokens * slots));
    }
    for (const std::int32_t expert : layer.selections)
      if (expert < -1 || expert >= experts) impl_->damaged();
    // Older programs kept tables of all experts, however many.
    const bool all = layers.blob(4).size() == static_cast<std::size_t>(experts * experts) * sizeof(float);
    layer.listed = all ? allExperts(experts) : listedExperts(layer.selections, experts);
    const auto listed = static_cast<std::int64_t>(layer.listed.size());
    layer.coactivation = checked(valuesOf<float>(layers.blob(4), listed * listed));
    layer.domains = checked(valuesOf<float>(layers.blob(5), domains * listed));
    layer.inputSpecialisation = static_cast<float>(layers.real(6));
    layer.nextSpecialisation = static_cast<float>(layers.real(7));
    layer.predictedSpecialisation = static_cast<float>(layers.real(8));
    layer.maxVioGlobal = static_cast<float>(layers.real(9));
  }
  return study;
}

}  // namespace moe
