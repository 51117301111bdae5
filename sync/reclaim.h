#ifndef LINN_SYNC_RECLAIM_H_
#define LINN_SYNC_RECLAIM_H_

/* reclaim: when may what was unpublished be taken down?
 *
 *     reader                              maintainer
 *       linn_reclaim_enter(me)              linn_reclaim_publish(&slot, NULL)
 *       p = linn_reclaim_read(&slot)        linn_grace_start(&g)
 *       ... use *p ...                      ... linn_grace_poll(&g) false ...
 *       linn_reclaim_leave(me)              linn_grace_poll(&g) true: *p is ours
 *
 * liburcu-memb's algorithm, with the reader's word in its type-stable thread
 * record (never in TLS: a dead reader's word can still be read, and closed by
 * the adopter of the record).
 *
 *     section     | sequence : 48 | depth : 16 |      0 when not inside
 *
 * Sequence.  A global counter; a reader copies it on entry, a grace period takes
 * the next value G.  The period is over when every record has been seen, once
 * after the heavy barrier, to be outside or inside with a sequence >= G:
 *   - a section with sequence >= G read the counter (acquire, RC.H1) after the
 *     maintainer advanced it (release, RC.G1), so it sees the slot unpublished;
 *   - a section that was entered before the heavy barrier and is not of that
 *     kind is visible to every look after the barrier until it is left;
 *   - a section whose entry the barrier did not make visible does its reads
 *     after the barrier (light and heavy: sync/asym.h), and sees the slot
 *     unpublished, whatever sequence it copied.
 * So a record that has once been seen so needs no second look, and a period is a
 * value of three numbers: no snapshot, no memory per thread.
 *
 * Happens-before for the data (and for ThreadSanitizer): leave is a release
 * store (RC.L1), the look an acquire load (RC.P2).  Entering is a release store
 * too, so that a look which finds the *next* section has all of the last one
 * behind it.
 *
 * Progress: enter and leave are wait-free, a few plain instructions; a period is
 * polled and never waited for.  A reader stopped inside delays it for ever, and
 * nothing else; a dead one until its record is adopted.
 * Signals: sections nest, in a handler too, up to 65,535 deep.  A handler that
 * leaves a section by longjmp leaves it open for ever.
 * Without membarrier entering is an exchange.  In the mode "lost" (sync/asym.h)
 * no period ends.
 * Spec: tla/ArenaReclaim.tla.   Checked by: sync/reclaim_test.cc. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/asym.h"
#include "sync/atomic.h"
#include "sync/thread_registry.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_RECLAIM_DEPTH_BITS 16
#define LINN_RECLAIM_DEPTH_MASK ((UINT64_C(1) << LINN_RECLAIM_DEPTH_BITS) - 1)

/* Whether an open section has a sequence below `sequence`.  Modulo 2^48: right
 * while no section is left open for 2^47 periods (4 years of one a microsecond). */
static inline bool linn_reclaim_is_before(uint64_t section, uint64_t sequence) {
    uint64_t ahead = (section >> LINN_RECLAIM_DEPTH_BITS) - sequence;
    return (ahead >> (63 - LINN_RECLAIM_DEPTH_BITS) & 1) != 0;
}

/* ATOMIC linn_reclaim_sequence, advanced by each grace period
 *   RC.H1 enter  load   acquire  pairs RC.G1  a section with the new sequence
 *                                sees what was unpublished before
 *   RC.G1 start  add    acq_rel  pairs RC.H1
 *   RC.T1 test   store  relaxed  before the threads of the test */
extern sync_u64 linn_reclaim_sequence;

/* ATOMIC section (struct linn_thread), written by its thread, and by the adopter
 * of the dead thread's record
 *   RC.O1 own    load   relaxed  nobody else writes it
 *   RC.E1 enter  store  release  pairs RC.P2  ordered before the reads inside
 *                                by light and heavy
 *   RC.E2 enter  exchange acq_rel pairs RC.P2  the same without membarrier
 *   RC.E3 nest   store  release  pairs RC.P2  deeper: the sequence stays
 *   RC.L1 leave  store  release  pairs RC.P2  our reads are done
 *   RC.C1 close  store  release  pairs RC.P2  its thread is dead
 *   RC.P2 look   load   acquire  pairs RC.E1 RC.E2 RC.E3 RC.L1 RC.C1 */

/* The calling thread's record is `t`. */
static inline void linn_reclaim_enter(struct linn_thread *t) {
    uint64_t mine = sync_u64_load_relaxed(&t->section); /* RC.O1 */
    if (mine != 0) {
        /* RC.E3 release, pairs with RC.P2: the outer section protects us. */
        sync_u64_store_release(&t->section, mine + 1);
        return;
    }
    /* RC.H1 acquire, pairs with RC.G1. */
    uint64_t now = sync_u64_load_acquire(&linn_reclaim_sequence);
    mine = now << LINN_RECLAIM_DEPTH_BITS | 1;
    if (__builtin_expect(linn_asym_available(), 1)) {
        /* RC.E1 release, pairs with RC.P2. */
        sync_u64_store_release(&t->section, mine);
        linn_asym_light();
    } else {
        /* RC.E2 acq_rel, pairs with RC.P2; a full barrier on this machine. */
        (void)sync_u64_exchange_acq_rel(&t->section, mine);
    }
}

static inline void linn_reclaim_leave(struct linn_thread *t) {
    uint64_t mine = sync_u64_load_relaxed(&t->section); /* RC.O1 */
    mine = (mine & LINN_RECLAIM_DEPTH_MASK) == 1 ? 0 : mine - 1;
    /* RC.L1 release, pairs with RC.P2: what we read inside is read. */
    sync_u64_store_release(&t->section, mine);
}

/* Whether the calling thread, whose record is `t`, is inside a section. */
static inline bool linn_reclaim_is_inside(const struct linn_thread *t) {
    return sync_u64_load_relaxed(&t->section) != 0; /* RC.O1 */
}

/* ATOMIC slot, written by its owner (the arena set)
 *   RC.W1 publish store release  pairs RC.R1  what it points to is complete
 *   RC.R1 read   load   acquire  pairs RC.W1 */

/* Shows *p to readers; NULL unpublishes. */
static inline void linn_reclaim_publish(sync_ptr *slot, void *p) {
    /* RC.W1 release, pairs with RC.R1: *p is complete. */
    sync_ptr_store_release(slot, p);
}

/* What is published now; inside a section it stays until the section is left. */
static inline void *linn_reclaim_read(const sync_ptr *slot) {
    /* RC.R1 acquire, pairs with RC.W1. */
    return sync_ptr_load_acquire(slot);
}

/* A grace period: a value of its owner, which may drop it at any time. */
struct linn_grace {
    uint64_t sequence;
    uint32_t next;  /* records below it need no second look */
    uint32_t limit; /* records from here on registered after the barrier */
    bool begun;     /* false if the heavy barrier failed */
};

/* Begins a period for everything that was unpublished before.  Any thread. */
void linn_grace_start(struct linn_grace *g);

/* True once every section that was open at the start has been left (or closed).
 * Any thread, one at a time for one value; lock-free.  The caller sees all that
 * the readers did. */
bool linn_grace_poll(struct linn_grace *g);

/* For tests, before their threads: the next period takes `sequence` + 1. */
void linn_reclaim_set_sequence(uint64_t sequence);

#ifdef __cplusplus
}
#endif

#endif /* LINN_SYNC_RECLAIM_H_ */
