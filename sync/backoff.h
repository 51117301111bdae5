#ifndef LINN_SYNC_BACKOFF_H_
#define LINN_SYNC_BACKOFF_H_

/* backoff: a bounded exponential pause after a lost try.
 *
 *     struct linn_backoff b = LINN_BACKOFF_START;
 *     while (!try(...)) linn_backoff_pause(&b);
 *
 * The pauses double from 2^2 to 2^LINN_BACKOFF_LIMIT instructions and stay
 * there, so a thread never sleeps, never yields and is never further than the
 * longest pause from its next try: a loop that uses it is as lock-free as it
 * was without.
 *
 * Used by the fas lock of the twin (sync/lock.c).  Not by the compare-and-swap
 * loops of the allocator: each goes on with the value that the failed one
 * returned, and after a pause that value is old, so they would have to load it
 * once more.
 *
 * It is ours and not ck_backoff because CK's headers do not compile as C++
 * (our tests include this one), and because ck_backoff has no upper bound of
 * its own choosing that we could state here. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LINN_BACKOFF_FIRST = 2, LINN_BACKOFF_LIMIT = 9 };

/* A value in the loop's frame; shared with nobody. */
struct linn_backoff {
    uint32_t shift;
};

#define LINN_BACKOFF_START {LINN_BACKOFF_FIRST}

/* One pause instruction: tells the other hyper-thread to go ahead. */
static inline void linn_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static inline void linn_backoff_pause(struct linn_backoff *b) {
    for (uint32_t i = UINT32_C(1) << b->shift; i > 0; i--) {
        linn_pause();
    }
    if (b->shift < LINN_BACKOFF_LIMIT) b->shift++;
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_BACKOFF_H_ */
