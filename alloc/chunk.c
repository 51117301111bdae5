#define SYNC_LAYER LINN_COUNT_CHUNK
#include "alloc/chunk.h"

#include "alloc/check.h"
#include "alloc/page_map.h"
#include "alloc/page_source.h"
#include "sync/section.h"

/* ---- bands ---- */

/* Lowest and highest usage of each band in percent, as Netty has them; the ends
 * are open. */
static const struct {
    int min, max;
} usage[LINN_BANDS] = {{-1, 25},  {1, 50},   {25, 75},
                       {50, 100}, {75, 100}, {100, 101}};

/* floor(pages * (100 - percent + 0.99999999) / 100) */
static uint32_t free_pages_at(uint32_t pages, int percent) {
    uint64_t scaled = (uint64_t)(100 - percent) * 100000000 + 99999999;
    return (uint32_t)((uint64_t)pages * scaled / 10000000000);
}

void linn_bands_init(struct linn_bands *bands, uint32_t pages) {
    bands->pages = pages;
    for (int b = 0; b < LINN_BANDS; b++) {
        bool to_the_top = usage[b].max >= 100;
        bands->leave_up[b] =
            to_the_top ? 0 : free_pages_at(pages, usage[b].max);
        bands->leave_down[b] = usage[b].min < 0 ? pages
                               : usage[b].min >= 100
                                   ? 0
                                   : free_pages_at(pages, usage[b].min);
    }
}

uint32_t linn_bands_after_alloc(const struct linn_bands *bands, uint32_t band,
                                uint32_t used) {
    uint32_t room = bands->pages - used;
    while (band < LINN_BAND_100 && room <= bands->leave_up[band])
        band++;
    return band;
}

uint32_t linn_bands_after_free(const struct linn_bands *bands, uint32_t band,
                               uint32_t used) {
    uint32_t room = bands->pages - used;
    /* q000 has nothing below it: an empty chunk there waits for its retirement.
     * qInit is left upward only. */
    while (band > LINN_BAND_000 && room > bands->leave_down[band])
        band--;
    return band;
}

/* ---- steps ---- */

bool linn_guard_step_reserve(const struct linn_bands *bands, uint64_t *word,
                             uint32_t pages) {
    struct linn_guard g = linn_guard_unpack(*word);
    if (g.state != LINN_CHUNK_LIVE) return false;
    if (g.used + pages > bands->pages) return false; /* C1 */
    g.used += pages;
    g.band = linn_bands_after_alloc(bands, g.band, g.used);
    *word = linn_guard_pack(g);
    return true;
}

bool linn_guard_step_return(const struct linn_bands *bands, uint64_t *word,
                            uint32_t pages) {
    struct linn_guard g = linn_guard_unpack(*word);
    if (g.used < pages) return false; /* C1 */
    g.used -= pages;
    g.ver++;
    g.band = linn_bands_after_free(bands, g.band, g.used);
    *word = linn_guard_pack(g);
    return true;
}

bool linn_guard_step_retire(uint64_t *word) {
    struct linn_guard g = linn_guard_unpack(*word);
    if (g.state != LINN_CHUNK_LIVE && g.state != LINN_CHUNK_DRAINING) {
        return false;
    }
    if (g.used != 0) return false;
    g.state = LINN_CHUNK_DEAD;
    g.gen++; /* C2 */
    *word = linn_guard_pack(g);
    return true;
}

/* ---- slots ---- */

#define SEGMENT_SLOTS 64
#define SEGMENTS      (LINN_CHUNK_SLOTS_MAX / SEGMENT_SLOTS)

struct segment {
    struct linn_chunk chunk[SEGMENT_SLOTS];
    struct linn_subpage subpage[SEGMENT_SLOTS][LINN_TREE_PAGES_MAX];
};

/* ATOMIC segments[i], the descriptors of 64 slots; set once
 *   CS.N1 install  cas   release  pairs CS.H1  zeroed memory
 *   CS.H1 find     load  acquire  pairs CS.N1
 * ATOMIC slot_limit, one past the highest slot handed out
 *   CS.H2 look     load  relaxed  hint; CS.C1 decides
 *   CS.C1 bump     cas   relaxed  the number is the whole meaning
 *   CS.H3 bound    load  relaxed  a bound for walks; a new slot may be missed */
static sync_ptr segments[SEGMENTS];
static sync_u32 slot_limit;
static struct linn_tagged_stack free_slots;
static struct linn_section slots_section; /* unused but in the twin */

static struct segment *segment_of(uint32_t slot) {
    /* CS.H1 acquire, pairs with CS.N1. */
    return (struct segment *)sync_ptr_load_acquire(
        &segments[slot / SEGMENT_SLOTS]);
}

struct linn_chunk *linn_chunk_at(uint32_t slot) {
    if (slot >= LINN_CHUNK_SLOTS_MAX) return NULL;
    struct segment *s = segment_of(slot);
    return s == NULL ? NULL : &s->chunk[slot % SEGMENT_SLOTS];
}

struct linn_chunk *linn_chunk_of(const void *p) {
    uint32_t slot = linn_page_map_slot(p);
    return slot == LINN_NO_SLOT ? NULL : linn_chunk_at(slot);
}

uint32_t linn_chunk_slot_limit(void) {
    return sync_u32_load_relaxed(&slot_limit); /* CS.H3 */
}

/* Losers of the race give their memory back.  A thread killed in between loses
 * address space, once a segment, and nothing resident. */
static bool segment_install(uint32_t slot) {
    if (segment_of(slot) != NULL) return true;
    void *fresh = linn_page_source_reserve(sizeof(struct segment));
    if (fresh == NULL) return false;
    void *seen = NULL;
    /* CS.N1 release, pairs with CS.H1. */
    if (!sync_ptr_cas_release_relaxed(&segments[slot / SEGMENT_SLOTS], &seen,
                                      fresh)) {
        linn_page_source_unmap(fresh, sizeof(struct segment));
    }
    return true;
}

struct linn_chunk *linn_chunk_slot_take(void) {
    linn_section_enter(&slots_section);
    struct linn_stack_node *node = linn_tagged_stack_pop(&free_slots);
    linn_section_leave(&slots_section);
    if (node != NULL) {
        return (struct linn_chunk *)(void *)((char *)node -
                                             offsetof(struct linn_chunk,
                                                      free_node));
    }
    uint32_t slot = sync_u32_load_relaxed(&slot_limit); /* CS.H2 */
    do {
        if (slot == LINN_CHUNK_SLOTS_MAX) return NULL;
        if (!segment_install(slot)) return NULL;
        /* CS.C1 relaxed: the segment is published by CS.N1. */
    } while (!sync_u32_cas_relaxed_relaxed(&slot_limit, &slot, slot + 1));
    struct segment *s = segment_of(slot);
    struct linn_chunk *chunk = &s->chunk[slot % SEGMENT_SLOTS];
    chunk->slot = slot;
    chunk->subpages = s->subpage[slot % SEGMENT_SLOTS];
    return chunk;
}

void linn_chunk_slot_give(struct linn_chunk *chunk) {
    LINN_ASSERT(linn_chunk_look(chunk).state == LINN_CHUNK_DEAD);
    linn_section_enter(&slots_section);
    linn_tagged_stack_push(&free_slots, &chunk->free_node);
    linn_section_leave(&slots_section);
}

/* ---- life ---- */

uint32_t linn_chunk_born(struct linn_chunk *chunk,
                         const struct linn_bands *bands, uint32_t arena,
                         uint32_t used) {
    struct linn_guard g = linn_chunk_look(chunk);
    LINN_ASSERT(g.state == LINN_CHUNK_DEAD && g.used == 0); /* C1 */
    g.state = LINN_CHUNK_LIVE;
    g.used = used;
    g.band = linn_bands_after_alloc(bands, LINN_BAND_INIT, used);
    g.arena = arena;
    /* CH.B1 release, pairs with CH.H1 and CH.R1: tree, place and base. */
    sync_u64_store_release(&chunk->guard, linn_guard_pack(g));
    return g.band;
}

void linn_chunk_born_huge(struct linn_chunk *chunk, struct linn_pool_core *pool,
                          void *base, size_t bytes) {
    struct linn_guard g = linn_chunk_look(chunk);
    LINN_ASSERT(g.state == LINN_CHUNK_DEAD && g.used == 0);
    chunk->base = base;
    chunk->bytes = bytes;
    chunk->pool = pool;
    g.state = LINN_CHUNK_HUGE;
    /* CH.B2 release, pairs with CH.H1 and CH.D2: base, bytes and pool. */
    sync_u64_store_release(&chunk->guard, linn_guard_pack(g));
}

bool linn_chunk_end_huge(struct linn_chunk *chunk, uint64_t seen) {
    struct linn_guard g = linn_guard_unpack(seen);
    if (g.state != LINN_CHUNK_HUGE) return false;
    g.state = LINN_CHUNK_DEAD;
    g.gen++; /* C2 */
    /* CH.D2 acq_rel, pairs with CH.B2. */
    return sync_u64_cas_acq_rel_relaxed(&chunk->guard, &seen,
                                        linn_guard_pack(g));
}

static bool same_life(uint64_t a, uint64_t b) {
    return a >> LINN_GUARD_GEN_SHIFT == b >> LINN_GUARD_GEN_SHIFT &&
           (a >> LINN_GUARD_STATE_SHIFT &
            LINN_GUARD_MASK(LINN_GUARD_STATE_BITS)) ==
               (b >> LINN_GUARD_STATE_SHIFT &
                LINN_GUARD_MASK(LINN_GUARD_STATE_BITS)) &&
           (a >> LINN_GUARD_ARENA_SHIFT &
            LINN_GUARD_MASK(LINN_GUARD_ARENA_BITS)) ==
               (b >> LINN_GUARD_ARENA_SHIFT &
                LINN_GUARD_MASK(LINN_GUARD_ARENA_BITS));
}

static uint32_t band_of(uint64_t word) {
    return (uint32_t)(word >> LINN_GUARD_BAND_SHIFT &
                      LINN_GUARD_MASK(LINN_GUARD_BAND_BITS));
}

struct linn_crossing linn_chunk_reserve(struct linn_chunk *chunk,
                                        const struct linn_bands *bands,
                                        uint64_t seen, uint32_t pages) {
    struct linn_crossing crossing = {false, 0, 0};
    uint64_t first = seen, next;
    do {
        next = seen;
        if (!same_life(first, seen)) return crossing;
        if (!linn_guard_step_reserve(bands, &next, pages)) return crossing;
        /* CH.R1 acq_rel.  Acquire pairs with CH.F1 and CH.B1: the bits that made
         * room are visible before we look for them.  Release: a return after
         * ours that retires the chunk has our life behind it. */
    } while (!sync_guarded_u64_cas_acq_rel_relaxed(&chunk->guard, &seen, next));
    crossing.done = true;
    crossing.from = band_of(seen);
    crossing.to = band_of(next);
    return crossing;
}

struct linn_crossing linn_chunk_return(struct linn_chunk *chunk,
                                       const struct linn_bands *bands,
                                       uint32_t pages) {
    struct linn_crossing crossing = {true, 0, 0};
    /* CH.H1 acquire, pairs with CH.B1. */
    uint64_t seen = sync_u64_load_acquire(&chunk->guard);
    uint64_t next;
    do {
        next = seen;
        LINN_CHECK(linn_guard_step_return(bands, &next, pages)); /* C1 */
        /* CH.F1 acq_rel.  Release pairs with CH.R1 and CH.D1: our bits come
         * first.  The last touch of the chunk. */
    } while (!sync_guarded_u64_cas_acq_rel_relaxed(&chunk->guard, &seen, next));
    crossing.from = band_of(seen);
    crossing.to = band_of(next);
    return crossing;
}

bool linn_chunk_retire(struct linn_chunk *chunk, uint64_t seen,
                       uint32_t *band) {
    uint64_t first = seen, next;
    do {
        next = seen;
        if (!same_life(first, seen)) return false;
        if (!linn_guard_step_retire(&next)) return false;
        /* CH.D1 acq_rel, pairs with CH.F1: everybody who was in the chunk is
         * done with it.  Now it is ours alone. */
    } while (!sync_guarded_u64_cas_acq_rel_relaxed(&chunk->guard, &seen, next));
    *band = band_of(seen);
    return true;
}

bool linn_chunk_is_valid_quiescent(const struct linn_chunk *chunk,
                                   const struct linn_bands *bands) {
    struct linn_guard g = linn_chunk_look(chunk);
    if (g.state == LINN_CHUNK_DEAD) return g.used == 0;
    if (g.used > bands->pages) return false; /* C1 */
    uint32_t room = bands->pages - g.used;
    if (room <= bands->leave_up[g.band] && g.band != LINN_BAND_100) {
        return false; /* C3 */
    }
    if (g.band > LINN_BAND_000 && room > bands->leave_down[g.band]) {
        return false; /* C3 */
    }
    return linn_page_tree_is_valid_quiescent(&chunk->tree, bands->pages) &&
           linn_page_tree_free_pages(&chunk->tree) == room;
}
