#ifndef LINN_ALLOC_CHUNK_H_
#define LINN_ALLOC_CHUNK_H_

/* chunk: a region of 2^order pages, from birth to death, and the word that
 * guards it.
 *
 *     guard  | gen : 24 | ver : 15 | state : 2 | band : 3 | arena : 8 | used : 12 |
 *
 *              born              used = 0, one CAS
 *        DEAD ------> LIVE ------------------------> DEAD, gen + 1
 *                     | ^
 *             reserve | | give back
 *                     v |
 *                   used +- k, band follows
 *
 * Reserve, claim / give back, leave, retire: an allocation first takes k pages in
 * the guard, then claims bits in the page tree; a free gives the bits back, then
 * the pages in the guard, and that CAS is its last touch of the chunk.  So there
 * are always at least as many free bits as the guard says, and a guard that says
 * "0 used" is a chunk with nobody inside, which one CAS retires: the winner owns
 * the memory alone, without a grace period.
 *
 *     (C1)  used <= pages;  used = 0 while DEAD
 *     (C2)  gen grows with every death and never goes back (24 bits; a CAS that
 *           slept through 2^24 lives of one slot, with ver and used equal, would
 *           be fooled)
 *     (C3)  band is the band of `used`, with Netty's hysteresis
 *
 * Descriptors ("slots") are type-stable: reserved arrays, never re-typed and
 * never given back.  Only the payload is.
 *
 * Bands are Netty's PoolChunkLists.  The band is a field of the guard, changed by
 * the CAS that changes `used`; so there is no list to move a chunk between, and
 * nothing to lose.  The lists that searchers walk are hints of alloc/arena.h.
 *
 *     band    qInit  q000   q025   q050   q075   q100
 *     usage   ..25   1..50  25..75 50..100 75..100 100
 *
 * Progress: lock-free.  Cost: one locked instruction to reserve, one to return.
 * Spec: tla/Bands.tla, tla/PageTree.tla.
 * Scenario: verify/chunk_retirement.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/page_tree.h"
#include "alloc/subpage.h"
#include "sync/atomic.h"
#include "sync/cacheline.h"
#include "sync/tagged_stack.h"

#ifdef __cplusplus
extern "C" {
#endif

enum linn_chunk_state {
    LINN_CHUNK_DEAD = 0,
    LINN_CHUNK_LIVE = 1,
    /* Of a retired arena: nothing new may come in.  Not set yet: arenas that come
     * and go (lifetimes) need it. */
    LINN_CHUNK_DRAINING = 2,
    LINN_CHUNK_HUGE = 3, /* one block larger than a chunk */
};

enum linn_band {
    LINN_BAND_INIT,
    LINN_BAND_000,
    LINN_BAND_025,
    LINN_BAND_050,
    LINN_BAND_075,
    LINN_BAND_100,
    LINN_BANDS,
};

/* The guard word, field by field; a value. */
struct linn_guard {
    uint32_t gen;
    uint32_t ver;   /* counts give-backs, modulo 2^15 */
    uint32_t state; /* enum linn_chunk_state */
    uint32_t band;  /* enum linn_band */
    uint32_t arena; /* index in the pool */
    uint32_t used;  /* pages reserved or claimed */
};

/* The fields of the guard word, from the lowest bit. */
#define LINN_GUARD_USED_BITS   12
#define LINN_GUARD_ARENA_BITS  8
#define LINN_GUARD_BAND_BITS   3
#define LINN_GUARD_STATE_BITS  2
#define LINN_GUARD_VER_BITS    15
#define LINN_GUARD_GEN_BITS    24
#define LINN_GUARD_ARENA_SHIFT LINN_GUARD_USED_BITS
#define LINN_GUARD_BAND_SHIFT  (LINN_GUARD_ARENA_SHIFT + LINN_GUARD_ARENA_BITS)
#define LINN_GUARD_STATE_SHIFT (LINN_GUARD_BAND_SHIFT + LINN_GUARD_BAND_BITS)
#define LINN_GUARD_VER_SHIFT   (LINN_GUARD_STATE_SHIFT + LINN_GUARD_STATE_BITS)
#define LINN_GUARD_GEN_SHIFT   (LINN_GUARD_VER_SHIFT + LINN_GUARD_VER_BITS)
#define LINN_GUARD_MASK(bits)  ((UINT64_C(1) << (bits)) - 1)

static inline struct linn_guard linn_guard_unpack(uint64_t word) {
    struct linn_guard g;
    g.used = (uint32_t)(word & LINN_GUARD_MASK(LINN_GUARD_USED_BITS));
    g.arena = (uint32_t)(word >> LINN_GUARD_ARENA_SHIFT &
                         LINN_GUARD_MASK(LINN_GUARD_ARENA_BITS));
    g.band = (uint32_t)(word >> LINN_GUARD_BAND_SHIFT &
                        LINN_GUARD_MASK(LINN_GUARD_BAND_BITS));
    g.state = (uint32_t)(word >> LINN_GUARD_STATE_SHIFT &
                         LINN_GUARD_MASK(LINN_GUARD_STATE_BITS));
    g.ver = (uint32_t)(word >> LINN_GUARD_VER_SHIFT &
                       LINN_GUARD_MASK(LINN_GUARD_VER_BITS));
    g.gen = (uint32_t)(word >> LINN_GUARD_GEN_SHIFT &
                       LINN_GUARD_MASK(LINN_GUARD_GEN_BITS));
    return g;
}

static inline uint64_t linn_guard_pack(struct linn_guard g) {
    return (g.used & LINN_GUARD_MASK(LINN_GUARD_USED_BITS)) |
           (g.arena & LINN_GUARD_MASK(LINN_GUARD_ARENA_BITS))
               << LINN_GUARD_ARENA_SHIFT |
           (g.band & LINN_GUARD_MASK(LINN_GUARD_BAND_BITS))
               << LINN_GUARD_BAND_SHIFT |
           (g.state & LINN_GUARD_MASK(LINN_GUARD_STATE_BITS))
               << LINN_GUARD_STATE_SHIFT |
           (g.ver & LINN_GUARD_MASK(LINN_GUARD_VER_BITS))
               << LINN_GUARD_VER_SHIFT |
           (g.gen & LINN_GUARD_MASK(LINN_GUARD_GEN_BITS))
               << LINN_GUARD_GEN_SHIFT;
}

/* Pages at which a chunk leaves its band: upward when no more than leave_up are
 * free, downward when more than leave_down are. */
struct linn_bands {
    uint32_t pages;
    uint32_t leave_up[LINN_BANDS];
    uint32_t leave_down[LINN_BANDS];
};

/* Netty's thresholds (PoolChunkList) for a chunk of `pages` pages. */
void linn_bands_init(struct linn_bands *bands, uint32_t pages);

/* The band of a chunk that was in `band` and now has `used` pages used. */
uint32_t linn_bands_after_alloc(const struct linn_bands *bands, uint32_t band,
                                uint32_t used);
uint32_t linn_bands_after_free(const struct linn_bands *bands, uint32_t band,
                               uint32_t used);

/* Steps: pure functions from one guard word to the next. */
bool linn_guard_step_reserve(const struct linn_bands *bands, uint64_t *word,
                             uint32_t pages);
bool linn_guard_step_return(const struct linn_bands *bands, uint64_t *word,
                            uint32_t pages);
bool linn_guard_step_retire(uint64_t *word);

struct linn_pool_core;

struct linn_chunk {
    /* ATOMIC guard
     *   CH.H1 look     load   acquire  pairs CH.B1 CH.B2  what birth wrote is there
     *   CH.R1 reserve  cas    acq_rel  pairs CH.F1 CH.B1  the bits that made
     *                                  room are visible before we look for them
     *   CH.F1 return   cas    acq_rel  pairs CH.R1 CH.D1 CH.F1  our bits first;
     *                                  last touch
     *   CH.D1 retire   cas    acq_rel  pairs CH.F1  everybody is done
     *   CH.B1 birth    store  release  pairs CH.H1 CH.R1  tree, place, base
     *   CH.B2 huge     store  release  pairs CH.H1 CH.D2  base, bytes, pool
     *   CH.D2 end      cas    acq_rel  pairs CH.B2  one of two frees wins */
    sync_u64 guard LINN_ALIGNED_LINE;

    /* Written at birth, before CH.B1; constant while the chunk is LIVE. */
    void *base;
    size_t bytes;
    struct linn_pool_core *pool;
    uint32_t place;                /* in the arena */
    uint32_t slot;                 /* of this descriptor; constant for ever */
    struct linn_subpage *subpages; /* one a page; constant for ever */
    struct linn_stack_node free_node; /* while DEAD: in the free slots */

    struct linn_page_tree tree LINN_ALIGNED_LINE;
};

#define LINN_CHUNK_SLOTS_MAX 65536

/* Takes a DEAD slot that the caller then owns; NULL when there is none or no
 * memory for its descriptors.  Lock-free. */
struct linn_chunk *linn_chunk_slot_take(void);

/* Gives a DEAD slot back. */
void linn_chunk_slot_give(struct linn_chunk *chunk);

/* The descriptor of a slot that was taken at some time; NULL otherwise. */
struct linn_chunk *linn_chunk_at(uint32_t slot);

/* The chunk whose granule `p` lies in, whatever its state; NULL when none. */
struct linn_chunk *linn_chunk_of(const void *p);

/* One past the highest slot ever taken. */
uint32_t linn_chunk_slot_limit(void);

/* Makes an owned slot LIVE in `arena`, with `used` pages that the owner has
 * claimed in its tree already.  Its fields are written, and its place names the
 * slot (tla/Bands.tla: birth is place, guard, hint).  The band it is born in. */
uint32_t linn_chunk_born(struct linn_chunk *chunk,
                         const struct linn_bands *bands, uint32_t arena,
                         uint32_t used);

/* What the guard says now. */
static inline struct linn_guard linn_chunk_look(const struct linn_chunk *c) {
    /* CH.H1 acquire, pairs with CH.B1. */
    return linn_guard_unpack(sync_u64_load_acquire(&c->guard));
}

/* How a reservation or a return moved the chunk. */
struct linn_crossing {
    bool done;
    uint32_t from, to; /* bands; equal when none was crossed */
};

/* Reserves k pages, provided that the guard is still `seen` or has changed only
 * in used, band and ver of the same life.  Not done: full, dead, another life. */
struct linn_crossing linn_chunk_reserve(struct linn_chunk *chunk,
                                        const struct linn_bands *bands,
                                        uint64_t seen, uint32_t pages);

/* Returns k reserved pages whose bits are back in the tree.  The last touch of
 * the chunk by this thread. */
struct linn_crossing linn_chunk_return(struct linn_chunk *chunk,
                                       const struct linn_bands *bands,
                                       uint32_t pages);

/* LIVE with nothing used becomes DEAD, gen + 1: the caller owns the memory.
 * Only in the life that `seen` was of; `band` gets the band it died in. */
bool linn_chunk_retire(struct linn_chunk *chunk, uint64_t seen, uint32_t *band);

/* The same for a slot that holds one huge block: guard HUGE and back. */
void linn_chunk_born_huge(struct linn_chunk *chunk, struct linn_pool_core *pool,
                          void *base, size_t bytes);

/* HUGE becomes DEAD, gen + 1, only in the life that `seen` was of: one of two
 * frees of a block wins, also when the slot holds another block by now. */
bool linn_chunk_end_huge(struct linn_chunk *chunk, uint64_t seen);

/* C1, C3 and the tree's invariants.  Only while nobody works in the chunk. */
bool linn_chunk_is_valid_quiescent(const struct linn_chunk *chunk,
                                   const struct linn_bands *bands);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_CHUNK_H_ */
