#ifndef LINN_ALLOC_ARENA_H_
#define LINN_ALLOC_ARENA_H_

/* arena: the chunks that a group of threads shares.
 *
 *     place      0        1        2      ...     4095
 *     slot_of    slot 7   slot 3   -                      the chunk at that place
 *     hint[b]    one bit a place: "the chunk there is in band b"
 *     partial[c] two stacks of subpages of class c with free elements
 *     spare      a chunk that was mapped and then not needed
 *
 * A request walks the bands in Netty's order q050, q025, q000, qInit, q075, so
 * that half-full chunks fill up and nearly empty ones drain; q100 is never
 * asked.  Hints may lie: the guard of the chunk decides.  A hint is moved by the
 * thread whose CAS moved the chunk across a threshold, after its last touch of
 * the chunk: set new, clear old, *recheck the place*.  Without the recheck (or if
 * it looks at the chunk that was left and not at the place) a hint is lost (TLC,
 * 11 states).  A lost or late hint costs a scan and never memory: before it maps
 * a chunk, a thread looks at every guard of the arena.
 *
 * Growth, in this order, each step outside any section that others need:
 *     1. retire subpages that have become wholly free (at most 64 a class)
 *     2. every guard, whatever the hints say
 *     3. the spare chunk
 *     4. map a chunk; look once more, and if somebody else's serves, keep ours as
 *        the spare (no stampede); else publish it with our run taken already
 *
 *     (A1)  a place names at most one slot; a LIVE chunk has exactly one place
 *     (A2)  when nobody is inside, hint[band of the chunk at p] has bit p
 *
 * Progress: lock-free; the kernel is entered outside every section.
 * Cost: a run is two locked instructions to get, two to give back, three more
 * when a threshold is crossed.  A batch of elements: two, each way.
 * Source: Netty's PoolArena and PoolChunkList.
 * Spec: tla/Bands.tla, tla/Subpage.tla. */

#include <stdbool.h>
#include <stdint.h>

#include "alloc/chunk.h"
#include "alloc/pool_core.h"
#include "sync/section.h"
#include "sync/tagged_stack.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_PLACES      4096
#define LINN_HINT_WORDS  (LINN_PLACES / 64)
#define LINN_ARENAS_MAX  64
#define LINN_COLLECT_MAX 64

struct linn_partial {
    /* [0] gets every subpage that is listed; a collector moves what it has looked
     * at to the other one, so that it holds a single subpage at a time and comes
     * to each of them. */
    struct linn_tagged_stack stack[2];
    struct linn_section section LINN_ALIGNED_LINE;
};

struct linn_arena {
    struct linn_section section LINN_ALIGNED_LINE;
    struct linn_pool_core *pool;
    uint32_t index;

    /* ATOMIC threads, bound to this arena
     *   AR.T1 bind    fetch_add  relaxed  a number to balance by
     *   AR.T2 leave   fetch_add  relaxed  minus one
     *   AR.T3 least   load       relaxed  may be outdated
     * ATOMIC spare, slot + 1 of a mapped chunk that is not LIVE, or 0
     *   AR.S1 offer   cas        acq_rel  pairs AR.S2  the chunk's fields
     *   AR.S2 take    cas        acq_rel  pairs AR.S1
     *   AR.S3 look    load       relaxed  hint; AR.S2 decides
     * ATOMIC places, one past the highest place ever taken
     *   AR.P1 grow    cas        relaxed  a bound for walks
     *   AR.P2 bound   load       relaxed  a new place may be missed */
    sync_u32 threads LINN_ALIGNED_LINE;
    sync_u32 spare;
    sync_u32 places;

    /* ATOMIC hint[band][w], bit per place; decides nothing
     *   AR.H1 walk    load       relaxed  the guard decides
     *   AR.H2 set     fetch_or   acq_rel  pairs AR.H3
     *   AR.H3 clear   fetch_and  acq_rel  pairs AR.H2 AR.H4  either we see the set,
     *                                     and so the guard before it, or it is
     *                                     later
     *   AR.H4 again   fetch_or   acq_rel  pairs AR.H3  the recheck */
    sync_u64 hint[LINN_BANDS][LINN_HINT_WORDS] LINN_ALIGNED_LINE;

    /* ATOMIC slot_of[place], slot + 1 or 0
     *   AR.L1 take    cas    acq_rel  pairs AR.L2 AR.L3  the dead chunk has left it
     *   AR.L2 look    load   acquire  pairs AR.L1
     *   AR.L3 leave   cas    acq_rel  pairs AR.L1  the guard is DEAD already
     *   AR.L4 again   load   relaxed  still the same: the guard was of this life */
    sync_u32 slot_of[LINN_PLACES] LINN_ALIGNED_LINE;

    struct linn_partial partial[LINN_CLASSES_MAX];
};

/* For a new pool; the arena has no chunks.  Stack tags go on from where they
 * were. */
void linn_arena_init(struct linn_arena *arena, struct linn_pool_core *pool,
                     uint32_t index);

/* A run: where it is. */
struct linn_run {
    struct linn_chunk *chunk; /* NULL: none was to be had */
    uint32_t page;
};

/* Takes up to `want` (1..64) blocks of class c, at least one unless memory has
 * run out here; grows the arena if `grow`.  The number taken. */
uint32_t linn_arena_take(struct linn_arena *arena, uint32_t c, uint32_t want,
                         bool grow, void **out);

/* Takes `groups` whole groups of pages; NULL as above. */
void *linn_arena_take_groups(struct linn_arena *arena, uint32_t groups,
                             bool grow);

/* Gives `count` (1..64) blocks of class c back.  A block that is free already, or
 * no block at all, is reported as misuse of `function` and left out; the number
 * given back. */
uint32_t linn_arena_give(struct linn_pool_core *pool, uint32_t c,
                         void *const *blocks, uint32_t count,
                         const char *function);

/* Gives a run of groups back; false when it is free already. */
bool linn_arena_give_groups(struct linn_chunk *chunk, void *block);

/* Retires wholly free subpages, at most `limit` looked at in each class, and
 * returns the pages that came back to chunks.  A call works through one of a
 * class's two stacks, so two calls without a limit have seen them all. */
uint32_t linn_arena_collect(struct linn_arena *arena, uint32_t limit);

/* Returns the memory of every empty chunk, and the spare, to the operating
 * system.  The number of chunks. */
uint32_t linn_arena_release_empty(struct linn_arena *arena);

/* The bytes at `block` of a run of groups. */
size_t linn_arena_groups_bytes(const struct linn_chunk *chunk,
                               const void *block);

/* A1, A2 and the invariants of chunks and subpages.  Only while nobody is
 * inside. */
bool linn_arena_is_valid_quiescent(const struct linn_arena *arena);

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_ARENA_H_ */
