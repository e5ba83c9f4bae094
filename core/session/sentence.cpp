#include "core/session/sentence.h"

#include <algorithm>
#include <new>

#include "core/base/error.h"
#include "core/base/utf8.h"

namespace moe {

std::string sentenceOf(const std::exception& problem) {
  if (dynamic_cast<const std::bad_alloc*>(&problem))
    return "The machine has no memory left for this; choose a smaller model or batch.";
  const std::string what = problem.what();
  const auto* error = dynamic_cast<const Error*>(&problem);
  const std::size_t tag = error ? error->tag().size() + 3 : 0;
  return shownName(what.substr(std::min(tag, what.size())));
}

}  // namespace moe
