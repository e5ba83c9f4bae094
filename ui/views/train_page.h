#pragma once
#include <QWidget>

#include "ui/views/page_context.h"

namespace moe::ui {

QWidget* makeTrainPage(const PageContext& context, QWidget* parent);

}  // namespace moe::ui
