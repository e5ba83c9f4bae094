#include "ui/views/train_page.h"

#include "ui/widgets/card.h"

namespace moe::ui {

QWidget* makeTrainPage(const PageContext& context, QWidget* parent) {
  return new EmptyHint(context.theme, QObject::tr("The load of every expert appears here with the first step. Press play, or space."), parent);
}

}  // namespace moe::ui
