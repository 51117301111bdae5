#ifndef LINN_ALLOC_FAST_PATH_H_
#define LINN_ALLOC_FAST_PATH_H_

/* fast_path: linn_alloc and linn_free as far as a thread's cache serves them.
 *
 * One screen each: no loop, no locked instruction, and at most one call, a tail
 * call to the slow twin in alloc/linn.c.  alloc/fast_path.c is compiled with -O2
 * in every mode but the sanitizers', because its object code is what a test reads
 * and counts.
 *
 * LINN_BARE compiles the checks and the safety out (interior and double-free
 * checks, busy word, revocation, operation count): not for use, but to say what
 * they cost. */

#include <stddef.h>
#include <stdint.h>

#include "alloc/linn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `token` is what was in the busy word before this call set it to 0; 0 if the call
 * did not get so far. */
void *linn_alloc_slow(linn_pool *pool, size_t size, uint64_t token)
    __attribute__((cold, noinline, visibility("hidden")));
void linn_free_slow(void *p, uint64_t token)
    __attribute__((cold, noinline, visibility("hidden")));

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_FAST_PATH_H_ */
