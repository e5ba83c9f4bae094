#pragma once
#include <QPainter>
#include <QString>

namespace moe::ui {

class Theme;

/// The line above a picture that has to be read with care ("sees later tokens"): its height, 0 where there is nothing to
/// say, and its words at the right, so that they go with the picture wherever it is copied.
int cautionHeight(const Theme& theme, const QString& words);
void paintCaution(QPainter& painter, const Theme& theme, const QRect& line, const QString& words);

}  // namespace moe::ui
