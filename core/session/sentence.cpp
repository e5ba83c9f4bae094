#include "core/session/sentence.h"

#include <algorithm>
#include <new>
#include <system_error>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/data/text_files.h"
#include "core/session/run_preparation.h"

namespace moe {

std::string sentenceOf(const std::exception& problem, const RunConfig* config) {
  if (dynamic_cast<const std::bad_alloc*>(&problem)) {
    const auto* asked = dynamic_cast<const NoMemory*>(&problem);
    std::string sentence = "The machine has no memory left for this: " +
                           (asked ? gigabytes(asked->bytes()) + " more were asked for" : "more was asked for");
    if (config)
      sentence +=
          ", the run was predicted to take " + gigabytes(predictedMemory(*config, textSize(config->data))) + " in all";
    if (const std::int64_t free = freeMemory(); free > 0)
      sentence += ", and the system says that " + gigabytes(free) + " are free";
    return sentence + "; choose a smaller model, batch or context, or end another program.";
  }
  if (const auto* system = dynamic_cast<const std::system_error*>(&problem);
      system && system->code() == std::errc::resource_unavailable_try_again)
    return "The system lets this program begin no more threads: end other programs of this account, or raise its limit "
           "(ulimit -u), and start again.";
  const std::string what = problem.what();
  const auto* error = dynamic_cast<const Error*>(&problem);
  const std::size_t tag = error ? error->tag().size() + 3 : 0;
  return shownName(what.substr(std::min(tag, what.size())));
}

}  // namespace moe
