#pragma once
#include <QColor>
#include <vector>

namespace moe::ui {

// The palettes of data, one meaning each: load is diverging and centred on the fair share, probabilities are sequential,
// experts are categorical, layers are a ramp of one family.

/// Where a load stands on the diverging scale, 0..1: linear from 0 to the fair share (0.5), logarithmic from there to
/// `most` (1), so that twice and half the fair share are both plain to see.
double loadPosition(double relativeLoad, double most);
/// Colour of a load relative to the fair share.
QRgb loadColour(double relativeLoad, double most, bool dark);
/// Loads at which a colour bar up to `most` is labelled.
std::vector<double> loadTicks(double most);

/// Cividis-like sequential scale for probabilities, p in 0..1: dark blue over grey to yellow, legible without red-green.
QRgb probabilityColour(double p);

/// Okabe-Ito for up to 8 experts, beyond that a fixed, well-spread list; its number must be printed beside it.
QColor expertColour(int expert, int experts);
/// Black or white, whichever reads better on `ground`.
QColor textOn(const QColor& ground);

/// Layers from first to last, one family of hues.
QColor layerColour(int index, int count, bool dark);

}  // namespace moe::ui
