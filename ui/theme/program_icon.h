#pragma once
#include <QIcon>

namespace moe::ui {

/// The program's sign, drawn here from its SVG: Qt's image plugin for SVG is a package of its own that may be missing.
QIcon programIcon();

}  // namespace moe::ui
