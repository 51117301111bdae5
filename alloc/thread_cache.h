#ifndef LINN_ALLOC_THREAD_CACHE_H_
#define LINN_ALLOC_THREAD_CACHE_H_

/* thread_cache: free blocks that one thread keeps for itself, in a form that
 * another thread can take away.
 *
 *   linn_tls --> caches (payload of the thread's record)
 *                  ref[pool] { mine, body } --> body  ctl | left | arena
 *                                               loaded[c]   --> | count | slots |
 *                                               previous[c] --> | count | slots |
 *
 * Owner (no atomic instruction):
 *     m = ref.mine; ref.mine = 0                  busy
 *     light barrier; body.ctl == m ?              else the slow path
 *     pop or push in body.loaded[c]
 *     ref.mine = m                                (release) not busy
 *
 * `mine` is the value of ctl that says "owned by me", and 0 while its thread is
 * inside an operation.  So one word tells the owner's signal handlers (they see
 * 0, which no ctl equals, and take the shared path), the owner (revoked: ctl
 * differs) and a thief (0: do not touch).
 *
 * Thief: CAS ctl OWNED -> REVOKED; heavy barrier, one for all bodies revoked
 * together; the owner's ref.mine = 0?  Leave it REVOKED: the owner drains it at
 * its next call.  Else CAS REVOKED -> TAKEN, drain, FREE with gen + 1.  A revoked
 * body never goes back to its owner, which takes a fresh one.  Exit and adoption
 * are the same CAS without the barrier.
 *
 *     ctl  | state : 2 | fenced : 1 | gen : 43 | who : 18 |
 *
 * Magazines are Bonwick's pair: push writes the slot, then the count; pop and
 * flush write the count first; `previous` is flushed whole, so no pointer ever
 * moves inside a magazine and every instant is consistent, for a kill, a signal
 * and a thief.  Drained pointers leave the magazine first and reach the bitmaps
 * second: killed in between, a batch is lost and none is doubled.
 *
 *     (T1)  a block is in at most one slot below a count, or handed out, or free
 *           in its subpage
 *     (T2)  sum over classes of 2 * limit * size <= the pool's cache_bytes
 *     (T3)  only the thread that ctl names (or its adopter) touches magazines
 *
 * Progress: the owner never waits; a thief never waits for the owner.
 * Cost: a hit is no locked instruction; a refill or flush of a batch two to four.
 * Source: Bonwick and Adams, Magazines and Vmem (USENIX 2001); Netty's
 * PoolThreadCache for classes, bounds and the sweep.
 * Spec: tla/ThreadCache.tla.  Scenario: verify/cache_revocation.c */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/arena.h"
#include "alloc/buf_descriptor.h"
#include "alloc/pool_core.h"
#include "sync/atomic.h"
#include "sync/cacheline.h"
#include "sync/tagged_stack.h"
#include "sync/thread_registry.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_MAGAZINE_MAX 64

/* ATOMIC count and slot[i], by the one thread of (T3)
 *   MG.L1 read   load   relaxed  own, or after TC.C3
 *   MG.S1 write  store  relaxed  TC.E1 and TC.F1 publish it */
struct linn_magazine {
    sync_u64 count;
    uint64_t limit; /* owner's; at most the class's batch */
    sync_ptr slot[];
};

/* &m->slot[n], and &m->slot[n - 1] with n > 0: said in bytes, and counted from the
 * word before the slots, so that gcc neither adds to n nor takes off it. */
static inline sync_ptr *linn_magazine_free_slot(struct linn_magazine *m,
                                                uint64_t n) {
    char *counted = (char *)m + n * sizeof(sync_ptr);
    size_t before = offsetof(struct linn_magazine, slot);
    return (sync_ptr *)(void *)(counted + before);
}

static inline const sync_ptr *linn_magazine_top(const struct linn_magazine *m,
                                                uint64_t n) {
    return (const sync_ptr *)(const void *)&m->limit + n;
}

static inline size_t linn_magazine_bytes(uint32_t slots) {
    return sizeof(struct linn_magazine) + slots * sizeof(void *);
}

enum linn_body_state {
    LINN_BODY_FREE = 0,
    LINN_BODY_OWNED,
    LINN_BODY_REVOKED,
    LINN_BODY_TAKEN,
};

struct linn_body {
    /* ATOMIC ctl
     *   TC.C1 check   load  relaxed  the owner's; light barrier before it
     *   TC.H1 look    load  acquire  pairs TC.F1 TC.O1  who owns it, of what pool
     *   TC.O1 own     cas   acq_rel  pairs TC.H1 TC.F1 TC.C3
     *   TC.R1 revoke  cas   relaxed  the heavy barrier orders it
     *   TC.C3 take    cas   acq_rel  pairs TC.O1  with or without the barrier
     *   TC.F1 free    store release  pairs TC.O1 TC.H1  the magazines are empty */
    sync_u64 ctl LINN_ALIGNED_LINE;
    /* ATOMIC left, operations until the next sweep, and window, what it was set
     * to; the owner's
     *   TC.L1 set    store  relaxed  read by others for figures only; counted
     *                                down by its owner (sync_owned_decrement)
     *   TC.L2 read   load   relaxed */
    sync_u64 left;
    sync_u64 window;
    /* ATOMIC pool, written before TC.O1
     *   TC.P1 set    store  relaxed  published by TC.O1
     *   TC.P2 read   load   relaxed  after TC.H1; TC.R1 or TC.C3 compares ctl */
    sync_ptr pool;

    /* The owner's, or its adopter's. */
    struct linn_arena *arena;
    size_t granted;  /* bytes; T2 */
    uint64_t layout; /* of which pool's classes the storage is; 0: all zero */
    uint32_t index;
    struct linn_stack_node node; /* while FREE */

    struct linn_magazine *loaded[LINN_CLASSES_MAX];
    struct linn_magazine *previous[LINN_CLASSES_MAX];
    uint32_t visits[LINN_CLASSES_MAX]; /* refills and flushes */
    uint32_t since[LINN_CLASSES_MAX]; /* visits before those that still count */
    uint32_t
        marks[LINN_CLASSES_MAX];     /* visits and contents at the last sweep */
    uint8_t frees[LINN_CLASSES_MAX]; /* visits by frees since one by an alloc */

    struct linn_tally tally LINN_ALIGNED_LINE;

    char storage[] LINN_ALIGNED_LINE; /* the magazines, class after class */
};

struct linn_ref {
    /* ATOMIC mine, written by its thread (0 while inside an operation)
     *   TC.M1 read   load      relaxed  own
     *   TC.Z1 reset  store     relaxed  nobody's: before it is a thread's, or
     *                                   after its adoption
     *   TC.B1 busy   store     relaxed  the light barrier follows
     *   TC.B2 busy   exchange  acq_rel  pairs TC.T1  without membarrier: a full
     *                                   barrier
     *   TC.E1 done   store     release  pairs TC.T1  our accesses to the magazines
     *   TC.T1 look   load      acquire  pairs TC.E1 TC.B2  the thief's; after the heavy
     *                                   barrier */
    sync_u64 mine;
    struct linn_body *body; /* own */
    linn_pool *handle;      /* own; which pool of this number */
};

struct linn_caches {
    struct linn_ref ref[LINN_POOLS_MAX];
    /* ATOMIC inside, own; a handler sees it
     *   TC.I1 set   store  relaxed  of one thread and its handlers
     *   TC.I2 read  load   relaxed */
    sync_u32 inside;
    uint32_t probe; /* the next record to look at for a death */
    /* Of no pool: its thread's, or its adopter's. */
    struct linn_descriptor_cache descriptors;
};

struct linn_tls {
    struct linn_caches *caches; /* never NULL */
    /* ATOMIC registering, 1 while this thread makes its record ready; own, and
     * read by its handlers
     *   TC.G1 set   store  relaxed  the compiler's order is enough
     *   TC.G2 look  load   relaxed  a handler uses the shared path */
    sync_u32 registering;
    uint32_t retry; /* slow calls until registering again */
};

/* Initial-exec: touching it never allocates. */
extern __thread struct linn_tls linn_tls
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* What a thread without a record points to: nothing there ever matches. */
extern struct linn_caches linn_no_caches;

/* A pointer's word for "this block is in a magazine"; see linn.c on what it
 * finds and what not. */
#define LINN_FREED_KEY UINT64_C(0x9e3779b97f4a7c15)

/* Makes the registry ready; idempotent, any thread. */
void linn_thread_cache_start(void);

/* ---- one visit of the slow path ---- */

struct linn_visit {
    struct linn_caches *state;
    struct linn_ref *ref;
    struct linn_body *body; /* NULL: use the shared path */
    uint64_t mine;
};

/* Enters the calling thread's cache of `core`, taking a body if it has none (when
 * `want_body`).  `token` is what the fast path read from ref.mine before it set
 * it to 0; 0 if it did not. */
void linn_visit_enter(struct linn_visit *v, struct linn_pool_core *core,
                      uint64_t token, bool want_body);
void linn_visit_leave(struct linn_visit *v);

/* A block of class c, from the cache or past it; NULL when memory has run out.
 * v->body may be NULL. */
void *linn_cache_alloc(struct linn_visit *v, struct linn_pool_core *core,
                       uint32_t c);

/* Takes a block of class c back.  False: misuse, reported, nothing changed. */
bool linn_cache_free(struct linn_visit *v, struct linn_pool_core *core,
                     uint32_t c, void *block, const char *function);

/* The tally that this visit may write alone, or NULL. */
static inline struct linn_tally *linn_visit_tally(struct linn_visit *v) {
    return v->body == NULL ? NULL : &v->body->tally;
}

/* The arena that serves the visit. */
struct linn_arena *linn_visit_arena(const struct linn_visit *v,
                                    struct linn_pool_core *core);

/* ---- other threads' caches ---- */

/* Returns what the calling thread's caches hold.  True if it had one. */
bool linn_cache_flush_own(void);

/* Revokes and drains every cache of `core` (of all pools if NULL) that no thread
 * is inside; one heavy barrier.  The number of bodies left for their owners. */
uint32_t linn_cache_drain_all(struct linn_pool_core *core);

/* Ends every body of `core`, of which no call runs: so neither a barrier nor the
 * owners' busy words are asked (one that is set was left so by a longjmp), and the
 * caller need not have a record.  The number of bodies that another thread is
 * draining at this moment. */
uint32_t linn_cache_end_all(struct linn_pool_core *core);

/* Takes over what dead threads left, looking at `records` of them.  The number of
 * threads found dead. */
uint32_t linn_cache_adopt(uint32_t records);

/* Whether `block` lies in some thread's magazine; for misuse checks: racy, and
 * exact only for what does not move meanwhile. */
bool linn_cache_holds_hint(struct linn_pool_core *core, uint32_t c,
                           const void *block);

/* Adds the figures of all bodies of `core` to *sum; the number of bodies. */
uint32_t linn_cache_sum(struct linn_pool_core *core,
                        uint64_t sum[LINN_TALLY_FIELDS],
                        uint64_t *cached_blocks, uint64_t *cached_bytes);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_THREAD_CACHE_H_ */
