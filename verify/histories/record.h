#ifndef LINN_VERIFY_HISTORIES_RECORD_H_
#define LINN_VERIFY_HISTORIES_RECORD_H_

/* record: what the worlds share that record histories of real threads.
 *
 * A stamp is drawn from one counter just before a call and just after it.  It is
 * relaxed, so that it brings no order that the library lacks (ThreadSanitizer
 * sees none); on x86 it is a locked instruction all the same, and so a full
 * barrier between calls, which hides no interleaving of the calls themselves. */

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/atomic.h"
#include "sync/cacheline.h"
#include "verify/histories/history.h"

static sync_u64 stamps LINN_ALIGNED_LINE;

static inline uint64_t draw_stamp(void) {
    return sync_u64_fetch_add_relaxed(&stamps, 1) + 1;
}

static inline void must(bool fact, const char *what) {
    if (fact) return;
    fprintf(stderr, "FAILED: %s\n", what);
    exit(1);
}

static inline void *must_have(size_t n, size_t bytes) {
    void *p = calloc(n, bytes);
    must(p != NULL, "memory for the record");
    return p;
}

/* The invocation of a call.  Now and then the thread is away before it really
 * begins, so that calls stand beside others also where threads seldom meet. */
static inline uint64_t invoke(uint64_t *random) {
    uint64_t stamp = draw_stamp();
    *random += *random == 0;
    if ((*random >> 20) % 32 == 0) sched_yield();
    return stamp;
}

/* xorshift: any number but 0 begins it. */
static inline uint32_t draw(uint64_t *random, uint32_t below) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (uint32_t)((*random >> 33) % below);
}

/* Plain accesses to what one thread holds: a missing order is a data race. */
static inline void touch(long *place) {
    (*place)++;
    __asm__ volatile("" : : "r"(place) : "memory");
}

static inline void start(pthread_t *thread, void *(*run)(void *), void *with) {
    must(pthread_create(thread, NULL, run, with) == 0, "a thread starts");
}

/* The holds as arguments of linn_holds_clash; says what clashes. */
static inline bool holds_are_explained(const struct linn_hold *holds, size_t n,
                                       size_t *most) {
    size_t a = 0, b = 0;
    if (!linn_holds_clash(holds, n, &a, &b, most)) return true;
    printf(
        "NOT LINEARIZABLE: handed out twice: [%#zx, %#zx) at %zu..%zu, "
        "[%#zx, %#zx) at %zu..%zu\n",
        (size_t)holds[a].first, (size_t)holds[a].end, (size_t)holds[a].from,
        (size_t)holds[a].until, (size_t)holds[b].first, (size_t)holds[b].end,
        (size_t)holds[b].from, (size_t)holds[b].until);
    return false;
}

#endif /* LINN_VERIFY_HISTORIES_RECORD_H_ */
