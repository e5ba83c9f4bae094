#pragma once
// Runs kernels of core/backend/cuda without a GPU: one block after another, a fiber for each of its threads. A fiber runs
// until it must wait for others (a barrier, a shuffle) and who goes on next is drawn, so that a missing barrier shows as
// wrong numbers; shared memory is exactly as large as asked and full of NaN before each block; blocks come in a drawn
// order. What could not end on a GPU (a barrier that not all reach, lanes that disagree) ends the process with a sentence.
// Draws are seeded: a run repeats.
#include <cstdint>

namespace moe::cuda::host {

/// The thread that runs now.
struct Thread {
  int index = 0;
  int block[3] = {}, blocks[3] = {};
  int threads = 0;
  unsigned char* shared = nullptr;
};
extern Thread* running;

/// Runs body(arguments) for every thread of every block. kernel: for messages.
void run(void (*body)(const void*), const void* arguments, const char* kernel, const int grid[3], int threads,
         int sharedBytes);

/// All threads of the block that have not ended.
void sync();

enum class Exchange : int { syncWarp, shuffle, ballot, loadMatrix, multiply };
constexpr int kExchangeBytes = 32;
/// Gives the warp `bytes` of each lane: returns 32 rooms of kExchangeBytes, readable until this lane's next exchange.
const unsigned char* exchange(Exchange kind, const void* mine, int bytes);

/// One number for the whole block, between two sync().
extern int blockFlag;

/// A copy that lands when its thread waits for it.
void copyLater(void* to, const void* from, bool valid);
void commitCopies();
void waitCopies(int open);

[[noreturn]] void fail(const char* what);

}  // namespace moe::cuda::host
