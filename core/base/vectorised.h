#pragma once
// SWITCHYARD_VECTORISED before a function compiles it once for each vector width and lets the loader pick at start: no
// instruction set is assumed by the build. Its loops are marked `#pragma omp simd`, and what it calls must be inlined
// into it (SWITCHYARD_INLINE, no lambdas), or the callee stays at the baseline. Give it internal linkage: not every
// compiler lets another file call such a function.
// Sanitizers run before the loader has resolved anything, so under them there is only the baseline.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define SWITCHYARD_ONE_VERSION
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
#define SWITCHYARD_ONE_VERSION
#endif

#ifdef SWITCHYARD_ONE_VERSION
#define SWITCHYARD_VECTORISED
#else
#define SWITCHYARD_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#define SWITCHYARD_INLINE __attribute__((always_inline)) inline
