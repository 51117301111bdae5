#ifndef LINN_ALLOC_POOL_CORE_H_
#define LINN_ALLOC_POOL_CORE_H_

/* pool_core: what a pool is made of, and nothing that it does.
 *
 * 256 cores exist for ever (type-stable); core 0 is the default pool's.  A core's
 * number is the upper byte of every page-map entry of its memory.
 *
 *     word   | generation : 56 | state : 8 |
 *     handle   generation << 8 | number, never dereferenced; NULL for core 0
 *
 * Everything but the words below is written while the state is BUILDING, by the
 * one thread that made it so, and constant while it is LIVE. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/chunk.h"
#include "alloc/linn.h"
#include "alloc/page_map.h"
#include "alloc/size_class.h"
#include "sync/atomic.h"
#include "sync/cacheline.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_POOLS_MAX 256

enum linn_pool_state {
    LINN_POOL_FREE = 0,
    LINN_POOL_BUILDING,
    LINN_POOL_LIVE,
    LINN_POOL_DYING,
};

/* What is counted.  A cache body counts for its owner with plain stores; what
 * has no body counts here, atomically. */
enum linn_tally_field {
    LINN_TALLY_ALLOCATIONS, /* blocks handed out past the cache */
    LINN_TALLY_FREES,       /* blocks taken back past the cache */
    LINN_TALLY_HITS,        /* blocks handed out from the cache */
    LINN_TALLY_STORED,      /* blocks taken back into the cache */
    LINN_TALLY_REFILLED,    /* elements moved into caches */
    LINN_TALLY_FLUSHED,     /* elements moved out of caches */
    LINN_TALLY_REFILLS,     /* batches of them */
    LINN_TALLY_FLUSHES,
    LINN_TALLY_DRAINS,
    LINN_TALLY_OUT_OF_MEMORY,
    LINN_TALLY_SUBPAGES_BORN,
    LINN_TALLY_SUBPAGES_DIED,
    LINN_TALLY_CHUNKS_BORN,
    LINN_TALLY_CHUNKS_DIED,
    LINN_TALLY_HUGE_BORN,
    LINN_TALLY_HUGE_DIED,
    LINN_TALLY_HUGE_BYTES_BORN,
    LINN_TALLY_HUGE_BYTES_DIED,
    LINN_TALLY_HELD_BYTES_TAKEN, /* from the operating system */
    LINN_TALLY_HELD_BYTES_GIVEN,
    LINN_TALLY_OS_CALLS,
    LINN_TALLY_FIELDS
};

/* ATOMIC field[i], counters that publish nothing
 *   TY.A1 add    fetch_add  relaxed  any thread, a shared tally
 *   TY.R1 read   load       relaxed  a sum of moments
 *   TY.W1 own    store      relaxed  its one writer, a body's tally
 *   TY.Z1 zero   store      relaxed  nobody counts */
struct linn_tally {
    sync_u64 field[LINN_TALLY_FIELDS];
};

static inline void linn_tally_add(struct linn_tally *t,
                                  enum linn_tally_field field, uint64_t n) {
    (void)sync_u64_fetch_add_relaxed(&t->field[field], n); /* TY.A1 */
}

static inline uint64_t linn_tally_read(const struct linn_tally *t,
                                       enum linn_tally_field field) {
    return sync_u64_load_relaxed(&t->field[field]); /* TY.R1 */
}

/* By the one writer of the tally. */
static inline void linn_tally_own(struct linn_tally *t,
                                  enum linn_tally_field field, uint64_t n) {
    uint64_t now = sync_u64_load_relaxed(&t->field[field]); /* TY.R1 */
    sync_u64_store_relaxed(&t->field[field], now + n);      /* TY.W1 */
}

struct linn_arena;

/* The immutable array that searchers read through sync/reclaim.h. */
struct linn_arena_set {
    uint32_t count;
    struct linn_arena *arena[64];
};

struct linn_pool_core {
    /* ATOMIC word {generation, state}
     *   PC.H1 look    load   acquire  pairs PC.L1 PC.U1  the core is built
     *   PC.C1 claim   cas    acquire  pairs PC.F1  the last pool is gone
     *   PC.L1 live    store  release  pairs PC.H1 PC.D1
     *   PC.D1 dying   cas    acq_rel  pairs PC.L1  one destroyer
     *   PC.F1 free    store  release  pairs PC.C1
     *   PC.U1 undo    store  release  pairs PC.H1  still live */
    sync_u64 word LINN_ALIGNED_LINE;
    uint32_t id;
    linn_pool *handle;

    struct linn_options options;
    struct linn_geometry geometry;
    struct linn_bands bands;
    uint32_t magazine_offset[LINN_CLASSES_MAX]; /* in a cache body's storage */

    /* Reserved the first time, kept for ever. */
    struct linn_arena *arenas;
    struct linn_arena_set set;

    /* ATOMIC published, the arena set; card in sync/reclaim.h */
    sync_ptr published;

    struct linn_tally tally LINN_ALIGNED_LINE;
};

extern struct linn_pool_core linn_pool_cores[LINN_POOLS_MAX]
    __attribute__((visibility("hidden")));

/* What the fast path of linn_free asks of a page's entry: is this address the
 * start of a slot?  For an offset in the aligned run, offset * inverse < inverse
 * (modulo 2^64) says that the class's size divides it (Lemire, Kaser and Kurz,
 * 2019).  An entry that no class has, and 0 before all, has inverse 0, so that the
 * answer is always no. */

/* ATOMIC of[entry] and of[entry + 1], the inverse and the mask of the entry's
 * class, written before the pool is LIVE
 *   CC.N1 build  store  relaxed  PC.L1 publishes it; a free has the pointer from
 *                                somebody who had it from an alloc
 *   CC.R1 ask    load   relaxed */
struct linn_class_checks {
    sync_u64 of[LINN_POOLS_MAX * LINN_MAP_CLASSES * 2];
};
extern struct linn_class_checks linn_class_checks
    __attribute__((visibility("hidden")));

static inline uint32_t linn_map_entry(const struct linn_pool_core *core,
                                      uint32_t size_class) {
    return core->id << 8 | size_class << 1;
}

/* Whether p may be the start of a slot of the class that `entry` names. */
static inline bool linn_starts_slot(size_t entry, uintptr_t p) {
    const sync_u64 *check = linn_class_checks.of;
    sync_opaque(check); /* else gcc shifts and adds where one lea would do */
    check += entry;
    uint64_t inverse = sync_u64_load_relaxed(&check[0]); /* CC.R1 */
    uint64_t mask = sync_u64_load_relaxed(&check[1]);    /* CC.R1 */
    return (p & mask) * inverse < inverse;
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_POOL_CORE_H_ */
