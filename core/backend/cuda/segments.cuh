#pragma once
// One kernel over many stretches of numbers, each cut into chunks that follow one another: chunk c belongs to the last
// stretch whose firstChunk is at most c.
#include "core/backend/cuda/device.cuh"

namespace moe::cuda {

/// The stretch of a chunk, found by the whole block; room: a shared int.
template <class Segment>
MOE_DEVICE int segmentOf(const Segment* segments, int count, int chunk, int* room) {
  for (int i = threadOfBlock(); i < count; i += threadsOfBlock())
    if (segments[i].firstChunk <= chunk && (i + 1 == count || segments[i + 1].firstChunk > chunk)) *room = i;
  sync();
  return *room;
}

}  // namespace moe::cuda
