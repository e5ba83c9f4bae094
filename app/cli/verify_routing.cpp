#include <cstdio>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/cli/backend_option.h"
#include "app/cli/commands.h"
#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/golden/verify_routing.h"

namespace moe::cli {

namespace {

struct Arguments {
  std::vector<std::string> files;
  std::string backend = "reference";
  bool json = false;
};

void print(const VerifyResult& result, bool json) {
  if (json) {
    nlohmann::ordered_json line{{"file", result.file},
                                {"system", result.system},
                                {"worst", {{"field", result.worstField}, {"error", result.worstError}}},
                                {"passed", result.passed}};
    for (const VerifyFailure& failure : result.failures)
      line["failures"].push_back({{"field", failure.field}, {"error", failure.error}, {"reason", failure.reason}});
    std::printf("%s\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%s  %s: %lld fields, worst %s at %.2g\n", result.passed ? "passed" : "FAILED", result.file.c_str(),
              static_cast<long long>(result.fields), result.worstField.c_str(), result.worstError);
  for (const VerifyFailure& failure : result.failures)
    std::printf("        %s: %s (error %.3g)\n", failure.field.c_str(), failure.reason.c_str(), failure.error);
}

/// A file that could not be run: nothing was compared, so it failed.
VerifyResult unreadable(const std::string& file, const std::string& sentence) {
  VerifyResult result;
  result.file = result.worstField = file;
  result.worstError = 1;
  result.failures.push_back({file, 1, sentence});
  return result;
}

void verify(const Arguments& arguments) {
  BackendOptions options{.name = arguments.backend};
  if (arguments.backend == "reference") options.computeType = DType::f64;
  const std::unique_ptr<Backend> backend = makeBackend(options);
  std::size_t failed = 0;
  for (const std::string& file : arguments.files) {
    VerifyResult result;
    try {
      result = verifyRouting(*backend, file);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", file.c_str(), error.what());
      result = unreadable(file, error.what());
    }
    print(result, arguments.json);
    failed += !result.passed;
  }
  if (failed > 0)
    throw Error("verify", std::to_string(failed) + " of " + std::to_string(arguments.files.size()) + " files failed");
}

}  // namespace

void addVerifyRouting(CLI::App& program) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      program.add_subcommand("verify-routing", "Runs golden vectors through the router and compares every field");
  command->add_option("files", arguments->files, "Golden vectors (JSON)")->required();
  addBackendOption(*command, arguments->backend, "default: reference, in f64; the others in f32");
  command->add_flag("--json", arguments->json, "One JSON object a file on standard output");
  command->callback([arguments] { verify(*arguments); });
}

}  // namespace moe::cli
