// How the cost of a training step grows: time a token over experts (k fixed), k, width, context and batch, each around
// one small model. Writes cost_growth.csv and cost_growth.svg into a folder.
//   benchmark_cost_growth FOLDER [threads, 0: all cores] [steps]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "core/backend/backend.h"
#include "core/train/bench_config.h"
#include "core/train/trainer.h"

using namespace moe;

namespace {

/// What one measurement varies around.
struct Sizes {
  int experts = 8, perToken = 2, width = 128, context = 128, batch = 8;
};

struct Measured {
  int value = 0;
  double microseconds = 0;  // a token: the quickest of the steps, which a busy machine disturbs least
};

struct Sweep {
  std::string name, label;
  std::vector<int> values;
  std::function<void(Sizes&, int)> set;
  std::vector<Measured> measured = {};
};

RunConfig runOf(const Sizes& sizes) {
  RunConfig run = benchConfig("tiny", false);
  run.model.width = sizes.width;
  run.model.context = sizes.context;
  run.train.batch = sizes.batch;
  run.model.layers.resize(2);
  for (LayerConfig& layer : run.model.layers) {
    layer.attention.headWidth = sizes.width / layer.attention.heads;
    layer.recipe.experts.count = sizes.experts;
    layer.recipe.experts.hidden = {256};
    layer.recipe.select.k = sizes.perToken;
  }
  return run;
}

double microsecondsPerToken(Backend& backend, const Sizes& sizes, const std::shared_ptr<const Corpus>& corpus,
                            int steps) {
  Trainer trainer(backend, runOf(sizes), corpus);
  for (int i = 0; i < 3; ++i) trainer.step();
  double best = 1e9;
  for (int i = 0; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    trainer.step();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return 1e6 * best / (sizes.batch * sizes.context);
}

/// d log(time) / d log(size) from the smallest to the largest: 0 is flat, 1 in proportion.
double slopeOf(const std::vector<Measured>& measured) {
  const Measured &first = measured.front(), &last = measured.back();
  return std::log(last.microseconds / first.microseconds) / std::log(static_cast<double>(last.value) / first.value);
}

std::vector<Sweep> sweeps() {
  return {{"experts", "experts, 2 a token", {4, 8, 16, 32, 64, 128}, [](Sizes& s, int v) { s.experts = v; }},
          {"k", "experts a token, of 16", {2, 4, 8, 16}, [](Sizes& s, int v) { s.experts = 16, s.perToken = v; }},
          {"width", "width", {64, 128, 256, 512}, [](Sizes& s, int v) { s.width = v; }},
          {"context",
           "context, 1024 tokens a step",
           {32, 64, 128, 256, 512},
           [](Sizes& s, int v) { s.context = v, s.batch = 1024 / v; }},
          {"batch", "sequences of 128", {1, 2, 4, 8, 16, 32}, [](Sizes& s, int v) { s.batch = v; }}};
}

constexpr int kPanel = 260, kPlot = 180, kLeft = 60, kTop = 40;  // pixels

/// One panel of log2(size) across and microseconds a token up from 0.
void drawPanel(std::ostream& svg, const Sweep& sweep, int panel) {
  double most = 0;
  for (const Measured& m : sweep.measured) most = std::max(most, m.microseconds);
  const double low = std::log2(sweep.measured.front().value), high = std::log2(sweep.measured.back().value);
  const int left = panel * kPanel + kLeft;
  const auto x = [&](int value) { return left + (std::log2(value) - low) / (high - low) * kPlot; };
  const auto y = [&](double time) { return kTop + kPlot * (1 - time / (1.1 * most)); };
  char slope[64];
  std::snprintf(slope, sizeof slope, "slope %.2f", slopeOf(sweep.measured));
  svg << "<text x='" << left << "' y='18' font-weight='bold'>" << sweep.label << "</text><text x='" << left
      << "' y='33'>" << slope << "</text>\n";
  svg << "<path d='M" << left << " " << kTop << "V" << kTop + kPlot << "H" << left + kPlot
      << "' fill='none' stroke='#555'/>\n<path fill='none' stroke='#0072b2' stroke-width='2' d='";
  for (std::size_t i = 0; i < sweep.measured.size(); ++i)
    svg << (i ? "L" : "M") << x(sweep.measured[i].value) << " " << y(sweep.measured[i].microseconds);
  svg << "'/>\n";
  for (const Measured& m : sweep.measured) {
    char time[32];
    std::snprintf(time, sizeof time, "%.1f", m.microseconds);
    svg << "<circle cx='" << x(m.value) << "' cy='" << y(m.microseconds) << "' r='3' fill='#0072b2'/><text x='"
        << x(m.value) << "' y='" << y(m.microseconds) - 8 << "' text-anchor='middle'>" << time << "</text><text x='"
        << x(m.value) << "' y='" << kTop + kPlot + 16 << "' text-anchor='middle'>" << m.value << "</text>\n";
  }
}

void drawFigure(const std::string& path, const std::vector<Sweep>& all) {
  std::ofstream svg(path);
  const int width = static_cast<int>(all.size()) * kPanel + 20, height = kTop + kPlot + 50;
  svg << "<svg xmlns='http://www.w3.org/2000/svg' width='" << width << "' height='" << height
      << "' font-family='sans-serif' font-size='11'>\n<rect width='100%' height='100%' fill='white'/>\n"
      << "<text x='12' y='" << kTop + kPlot / 2 << "' transform='rotate(-90 12 " << kTop + kPlot / 2
      << ")' text-anchor='middle'>microseconds a token, forward and backward</text>\n";
  for (std::size_t i = 0; i < all.size(); ++i) drawPanel(svg, all[i], static_cast<int>(i));
  svg << "</svg>\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FOLDER [threads] [steps]\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  const auto backend = makeBackend({.threads = argc > 2 ? std::atoi(argv[2]) : 0});
  const int steps = argc > 3 ? std::max(1, std::atoi(argv[3])) : 8;
  const auto corpus = randomCorpus(256, 1 << 16, 1);
  std::ofstream csv(folder + "/cost_growth.csv");
  csv << "varied,value,microseconds_per_token\n";
  std::vector<Sweep> all = sweeps();
  for (Sweep& sweep : all) {
    for (const int value : sweep.values) {
      Sizes sizes;
      sweep.set(sizes, value);
      sweep.measured.push_back({value, microsecondsPerToken(*backend, sizes, corpus, steps)});
      csv << sweep.name << ',' << value << ',' << sweep.measured.back().microseconds << '\n';
    }
    std::printf("%-28s slope %5.2f  (%.1f to %.1f us a token)\n", sweep.label.c_str(), slopeOf(sweep.measured),
                sweep.measured.front().microseconds, sweep.measured.back().microseconds);
  }
  drawFigure(folder + "/cost_growth.svg", all);
  csv.flush();
  return csv ? 0 : 1;
}
