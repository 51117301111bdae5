#define SYNC_LAYER LINN_COUNT_ARENA
#include "alloc/arena.h"

#include "alloc/check.h"
#include "alloc/misuse.h"
#include "alloc/page_map.h"
#include "alloc/page_source.h"

/* What is wanted of a chunk: `pages` of an aligned block of 2^order pages, or
 * `groups` whole groups (then pages = 64 * groups). */
struct want {
    uint32_t pages;
    uint32_t order;
    uint32_t groups;
};

static const uint8_t search_order[] = {
    LINN_BAND_050, LINN_BAND_025, LINN_BAND_000, LINN_BAND_INIT, LINN_BAND_075};

void linn_arena_init(struct linn_arena *arena, struct linn_pool_core *pool,
                     uint32_t index) {
    linn_section_init(&arena->section);
    arena->pool = pool;
    arena->index = index;
    for (uint32_t c = 0; c < LINN_CLASSES_MAX; c++) {
        linn_section_init(&arena->partial[c].section);
    }
}

/* ---- hints ---- */

static void set_hint(struct linn_arena *arena, uint32_t band, uint32_t place) {
    /* AR.H2 acq_rel, pairs with AR.H3: the guard that says `band` comes first. */
    sync_guarded_u64_fetch_or_acq_rel(&arena->hint[band][place / 64],
                                      UINT64_C(1) << place % 64);
}

/* Clears a hint and looks whether that was right: the place may hold a chunk of
 * that band by now, perhaps another chunk than the one we left. */
static void clear_hint(struct linn_arena *arena, uint32_t band,
                       uint32_t place) {
    uint64_t bit = UINT64_C(1) << place % 64;
    sync_u64 *word = &arena->hint[band][place / 64];
    /* AR.H3 acq_rel, pairs with AR.H2. */
    sync_guarded_u64_fetch_and_acq_rel(word, ~bit);
    /* AR.L2 acquire, pairs with AR.L1. */
    uint32_t slot = sync_u32_load_acquire(&arena->slot_of[place]);
    if (slot == 0) return;
    struct linn_guard g = linn_chunk_look(linn_chunk_at(slot - 1));
    if (g.state != LINN_CHUNK_LIVE || g.band != band) return;
    /* AR.H4 acq_rel, pairs with AR.H3. */
    sync_guarded_u64_fetch_or_acq_rel(word, bit);
}

static void move_hint(struct linn_arena *arena, uint32_t place,
                      struct linn_crossing crossing) {
    if (crossing.from == crossing.to) return;
    set_hint(arena, crossing.to, place);
    clear_hint(arena, crossing.from, place);
}

/* ---- one chunk ---- */

static uint32_t claim(struct linn_chunk *chunk, uint32_t chunk_pages,
                      struct want want) {
    if (want.groups > 0) {
        return linn_page_tree_claim_groups(&chunk->tree, chunk_pages,
                                           want.groups);
    }
    return linn_page_tree_claim(&chunk->tree, chunk_pages, want.pages,
                                want.order);
}

/* Tries the chunk at `place`.  `band` is the hint that led here, or LINN_BANDS. */
static bool try_place(struct linn_arena *arena, uint32_t place, uint32_t band,
                      struct want want, struct linn_run *run) {
    const struct linn_bands *bands = &arena->pool->bands;
    /* AR.L2 acquire, pairs with AR.L1. */
    uint32_t slot = sync_u32_load_acquire(&arena->slot_of[place]);
    if (slot == 0) {
        if (band != LINN_BANDS) clear_hint(arena, band, place);
        return false;
    }
    struct linn_chunk *chunk = linn_chunk_at(slot - 1);
    /* CH.H1 acquire, pairs with CH.B1. */
    uint64_t seen = sync_u64_load_acquire(&chunk->guard);
    /* AR.L4 relaxed, after the guard (acquire): the place still names the slot,
     * so the guard we saw is of a life in this arena; CH.R1 compares the life. */
    if (sync_u32_load_relaxed(&arena->slot_of[place]) != slot) return false;
    struct linn_crossing in =
        linn_chunk_reserve(chunk, bands, seen, want.pages);
    if (!in.done) {
        if (band != LINN_BANDS && linn_guard_unpack(seen).band != band) {
            clear_hint(arena, band, place);
        }
        return false;
    }
    uint32_t page = claim(chunk, bands->pages, want);
    move_hint(arena, place, in);
    if (page == LINN_NO_PAGE) {
        /* Room, but not in one piece, or on its way between two levels. */
        move_hint(arena, place, linn_chunk_return(chunk, bands, want.pages));
        return false;
    }
    run->chunk = chunk;
    run->page = page;
    return true;
}

static uint32_t place_limit(const struct linn_arena *arena) {
    return sync_u32_load_relaxed(&arena->places); /* AR.P2 */
}

static bool search_bands(struct linn_arena *arena, struct want want,
                         struct linn_run *run) {
    uint32_t words = (place_limit(arena) + 63) / 64;
    for (uint32_t i = 0; i < sizeof search_order; i++) {
        uint32_t band = search_order[i];
        for (uint32_t w = 0; w < words; w++) {
            uint64_t bits =
                sync_u64_load_relaxed(&arena->hint[band][w]); /* AR.H1 */
            for (; bits != 0; bits &= bits - 1) {
                uint32_t place = w * 64 + (uint32_t)__builtin_ctzll(bits);
                if (try_place(arena, place, band, want, run)) return true;
            }
        }
    }
    return false;
}

static bool search_all(struct linn_arena *arena, struct want want,
                       struct linn_run *run) {
    uint32_t limit = place_limit(arena);
    for (uint32_t place = 0; place < limit; place++) {
        if (try_place(arena, place, LINN_BANDS, want, run)) return true;
    }
    return false;
}

/* ---- birth and death ---- */

static size_t mapped_bytes(const struct linn_pool_core *pool) {
    size_t bytes = pool->geometry.chunk_bytes;
    return bytes < LINN_GRANULE_BYTES ? LINN_GRANULE_BYTES : bytes;
}

/* A mapped chunk that is DEAD and ours; NULL when the system refuses. */
static struct linn_chunk *map_chunk(struct linn_pool_core *pool) {
    size_t bytes = mapped_bytes(pool);
    struct linn_chunk *chunk = linn_chunk_slot_take();
    if (chunk == NULL) return NULL;
    void *base = linn_page_source_map(bytes, bytes);
    if (base == NULL) {
        linn_chunk_slot_give(chunk);
        return NULL;
    }
    chunk->base = base;
    chunk->bytes = bytes;
    chunk->pool = pool;
    if (!linn_page_map_add(base, bytes, chunk->slot)) {
        linn_page_source_unmap(base, bytes);
        linn_chunk_slot_give(chunk);
        return NULL;
    }
    linn_tally_add(&pool->tally, LINN_TALLY_CHUNKS_BORN, 1);
    linn_tally_add(&pool->tally, LINN_TALLY_HELD_BYTES_TAKEN, bytes);
    linn_tally_add(&pool->tally, LINN_TALLY_OS_CALLS, 1);
    return chunk;
}

/* The chunk is DEAD, in no place, and ours. */
static void unmap_chunk(struct linn_pool_core *pool, struct linn_chunk *chunk) {
    linn_page_map_remove(chunk->base, chunk->bytes);
    linn_page_source_unmap(chunk->base, chunk->bytes);
    linn_tally_add(&pool->tally, LINN_TALLY_CHUNKS_DIED, 1);
    linn_tally_add(&pool->tally, LINN_TALLY_HELD_BYTES_GIVEN, chunk->bytes);
    linn_tally_add(&pool->tally, LINN_TALLY_OS_CALLS, 1);
    linn_chunk_slot_give(chunk);
}

static struct linn_chunk *take_spare(struct linn_arena *arena) {
    uint32_t slot = sync_u32_load_relaxed(&arena->spare); /* AR.S3 */
    while (slot != 0) {
        /* AR.S2 acq_rel, pairs with AR.S1: its fields are there. */
        if (sync_u32_cas_acq_rel_relaxed(&arena->spare, &slot, 0)) {
            return linn_chunk_at(slot - 1);
        }
    }
    return NULL;
}

static void keep_as_spare(struct linn_arena *arena, struct linn_chunk *chunk) {
    uint32_t none = 0;
    /* AR.S1 acq_rel, pairs with AR.S2. */
    if (!sync_u32_cas_acq_rel_relaxed(&arena->spare, &none, chunk->slot + 1)) {
        unmap_chunk(arena->pool, chunk);
    }
}

/* A place that names the chunk from now on, or LINN_PLACES. */
static uint32_t take_place(struct linn_arena *arena, uint32_t slot) {
    for (uint32_t place = 0; place < LINN_PLACES; place++) {
        uint32_t none = 0;
        /* AR.L1 acq_rel, pairs with AR.L2 and AR.L3. */
        if (!sync_guarded_u32_cas_acq_rel_relaxed(&arena->slot_of[place], &none,
                                                  slot + 1)) {
            continue;
        }
        uint32_t limit = place_limit(arena);
        while (limit <= place) {
            /* AR.P1 relaxed: a bound that decides nothing. */
            if (sync_guarded_u32_cas_relaxed_relaxed(&arena->places, &limit,
                                                     place + 1)) {
                break;
            }
        }
        return place;
    }
    return LINN_PLACES;
}

static void leave_place(struct linn_arena *arena, uint32_t place,
                        uint32_t slot) {
    uint32_t named = slot + 1;
    /* AR.L3 acq_rel, pairs with AR.L1: the guard is DEAD before the place is
     * empty. */
    bool was_ours =
        sync_guarded_u32_cas_acq_rel_relaxed(&arena->slot_of[place], &named, 0);
    LINN_CHECK(was_ours); /* A1 */
}

/* Makes a mapped chunk LIVE with the wanted run taken from it. */
static bool publish(struct linn_arena *arena, struct linn_chunk *chunk,
                    struct want want, struct linn_run *run) {
    const struct linn_bands *bands = &arena->pool->bands;
    linn_section_enter(&arena->section);
    chunk->place = take_place(arena, chunk->slot);
    bool placed = chunk->place != LINN_PLACES;
    if (placed) {
        linn_page_tree_init(&chunk->tree, bands->pages);
        run->chunk = chunk;
        run->page = claim(chunk, bands->pages, want);
        LINN_CHECK(run->page != LINN_NO_PAGE);
        uint32_t band = linn_chunk_born(chunk, bands, arena->index, want.pages);
        set_hint(arena, band, chunk->place); /* A2 */
    }
    linn_section_leave(&arena->section);
    return placed;
}

static bool look_again(struct linn_arena *arena, struct want want,
                       struct linn_run *run) {
    linn_section_enter(&arena->section);
    bool found = search_bands(arena, want, run);
    linn_section_leave(&arena->section);
    return found;
}

/* Steps 1 to 4 of growth; see arena.h. */
static bool grow(struct linn_arena *arena, struct want want,
                 struct linn_run *run) {
    (void)linn_arena_collect(arena, LINN_COLLECT_MAX);
    linn_section_enter(&arena->section);
    bool found = search_all(arena, want, run);
    linn_section_leave(&arena->section);
    if (found) return true;

    struct linn_chunk *chunk = take_spare(arena);
    if (chunk == NULL) {
        chunk = map_chunk(arena->pool);
        if (chunk == NULL) return false;
        if (look_again(arena, want, run)) {
            keep_as_spare(arena, chunk);
            return true;
        }
    }
    if (publish(arena, chunk, want, run)) return true;
    keep_as_spare(arena, chunk);
    return false;
}

/* Gives back a run whose map entries are 0.  False: its pages are free already,
 * and nothing is changed. */
static bool give_run(struct linn_chunk *chunk, uint32_t page,
                     struct want want) {
    struct linn_pool_core *pool = chunk->pool;
    struct linn_arena *arena = &pool->arenas[linn_chunk_look(chunk).arena];
    uint32_t place = chunk->place; /* before the last touch */
    linn_section_enter(&arena->section);
    bool given =
        want.groups > 0
            ? linn_page_tree_release_groups(&chunk->tree, page, want.groups)
            : linn_page_tree_release(&chunk->tree, page, want.pages);
    if (given) {
        move_hint(arena, place,
                  linn_chunk_return(chunk, &pool->bands, want.pages));
    }
    linn_section_leave(&arena->section);
    return given;
}

static bool take_run(struct linn_arena *arena, struct want want, bool may_grow,
                     struct linn_run *run) {
    linn_section_enter(&arena->section);
    bool found = search_bands(arena, want, run);
    linn_section_leave(&arena->section);
    return found || (may_grow && grow(arena, want, run));
}

static char *run_address(const struct linn_run *run) {
    return (char *)run->chunk->base +
           ((size_t)run->page << run->chunk->pool->geometry.page_shift);
}

static struct want want_of(const struct linn_size_class *k) {
    struct want want = {k->run_pages, k->run_order, 0};
    return want;
}

/* The map entry of a run that is not cut is on its first 4 KiB only: what lies
 * further in is no block. */
static void mark_first(void *block, uint32_t entry) {
    linn_page_map_set(block, (size_t)1 << LINN_MAP_SHIFT, entry);
}

/* ---- elements ---- */

static uint32_t addresses_of(char *base, const struct linn_size_class *k,
                             const struct linn_elements *elements, void **out) {
    uint32_t n = 0;
    uint32_t words = linn_class_words(k);
    size_t size = k->size;
    for (uint32_t w = 0; w < words; w++) {
        for (uint64_t bits = elements->word[w]; bits != 0; bits &= bits - 1) {
            uint32_t index = w * 64 + (uint32_t)__builtin_ctzll(bits);
            out[n++] = base + index * size;
        }
    }
    return n;
}

static char *subpage_address(const struct linn_subpage *sp) {
    const struct linn_chunk *chunk = sp->chunk;
    size_t page = (size_t)(sp - chunk->subpages);
    return (char *)chunk->base + (page << chunk->pool->geometry.page_shift);
}

static void give_dead_subpage(struct linn_pool_core *pool,
                              struct linn_subpage *sp, uint32_t c) {
    const struct linn_size_class *k = &pool->geometry.of[c];
    struct linn_chunk *chunk = sp->chunk;
    char *base = subpage_address(sp);
    linn_page_map_set(base, (size_t)k->run_pages << pool->geometry.page_shift,
                      0);
    linn_tally_add(&pool->tally, LINN_TALLY_SUBPAGES_DIED, 1);
    bool given = give_run(chunk, (uint32_t)(sp - chunk->subpages), want_of(k));
    LINN_CHECK(given);
}

/* Reserves in the subpage at the top of a stack, without taking it off.  NULL:
 * the stack is empty; *got = 0: the top has nothing free. */
static struct linn_subpage *reserve_at_top(struct linn_tagged_stack *stack,
                                           uint32_t want, uint32_t *got) {
    struct linn_top top;
    while (linn_tagged_stack_look(stack, &top)) {
        struct linn_subpage *sp = linn_subpage_of_node(top.node);
        /* SP.H1 acquire, pairs with SP.N1 and SP.F2; and the second look at the
         * stack comes after it. */
        uint64_t seen = sync_u64_load_acquire(&sp->guard);
        /* The same top with the same tag: it was in this stack all the while, so
         * the guard that we saw is of a life in this arena and class. */
        if (!linn_tagged_stack_is_still(stack, &top)) continue;
        *got = linn_subpage_reserve(sp, seen, want);
        return sp;
    }
    *got = 0;
    return NULL;
}

/* Takes the top off a stack whose top had nothing free, and does with it what is
 * due.  In the section of the stack; a run to give back is left in *dead. */
static void take_off(struct linn_partial *partial, uint32_t from,
                     uint32_t total, struct linn_subpage **dead) {
    struct linn_stack_node *node = linn_tagged_stack_pop(&partial->stack[from]);
    if (node == NULL) return;
    struct linn_subpage *sp = linn_subpage_of_node(node);
    switch (linn_subpage_popped(sp, total)) {
        case LINN_POPPED_KEEP:
            linn_tagged_stack_push(&partial->stack[0], node);
            break;
        case LINN_POPPED_RETIRED:
            *dead = sp;
            break;
        case LINN_POPPED_DROPPED:
            break;
    }
}

/* From the partial subpages; 0 when there are none. */
static uint32_t take_partial(struct linn_arena *arena, uint32_t c,
                             uint32_t want, void **out) {
    struct linn_pool_core *pool = arena->pool;
    const struct linn_size_class *k = &pool->geometry.of[c];
    struct linn_partial *partial = &arena->partial[c];
    uint32_t n = 0;
    for (uint32_t from = 0; from < 2 && n < want;) {
        uint32_t got;
        struct linn_elements taken;
        struct linn_subpage *dead = NULL;
        linn_section_enter(&partial->section);
        struct linn_subpage *sp =
            reserve_at_top(&partial->stack[from], want - n, &got);
        if (got > 0) {
            linn_subpage_claim(sp, got, &taken);
        } else if (sp != NULL) {
            take_off(partial, from, k->elements, &dead);
        }
        linn_section_leave(&partial->section);
        if (got > 0) {
            char *base = subpage_address(sp);
            n += addresses_of(base, k, &taken, out + n);
            /* Half a batch is enough: it saves a second subpage's guard. */
            if (n * 2 >= want) break;
        } else if (sp == NULL) {
            from++;
        } else if (dead != NULL) {
            give_dead_subpage(pool, dead, c);
        }
    }
    return n;
}

/* A new subpage, of which the caller takes the first `want` elements. */
static uint32_t take_new(struct linn_arena *arena, uint32_t c, uint32_t want,
                         bool may_grow, void **out) {
    struct linn_pool_core *pool = arena->pool;
    const struct linn_size_class *k = &pool->geometry.of[c];
    struct linn_run run;
    if (!take_run(arena, want_of(k), may_grow, &run)) return 0;
    uint32_t taken = want < k->elements ? want : k->elements;
    struct linn_subpage *sp = &run.chunk->subpages[run.page];
    char *base = run_address(&run);
    linn_page_map_set(base, (size_t)k->run_pages << pool->geometry.page_shift,
                      linn_map_entry(pool, c));
    linn_tally_add(&pool->tally, LINN_TALLY_SUBPAGES_BORN, 1);
    sp->chunk = run.chunk;
    if (linn_subpage_born(sp, c, k->elements, taken)) {
        struct linn_partial *partial = &arena->partial[c];
        linn_section_enter(&partial->section);
        linn_tagged_stack_push(&partial->stack[0], &sp->node);
        linn_section_leave(&partial->section);
    }
    for (uint32_t i = 0; i < taken; i++)
        out[i] = base + (size_t)i * k->size;
    return taken;
}

uint32_t linn_arena_take(struct linn_arena *arena, uint32_t c, uint32_t want,
                         bool grow_too, void **out) {
    struct linn_pool_core *pool = arena->pool;
    const struct linn_size_class *k = &pool->geometry.of[c];
    if (k->elements > 0) {
        uint32_t n = take_partial(arena, c, want, out);
        return n > 0 ? n : take_new(arena, c, want, grow_too, out);
    }
    uint32_t n = 0;
    for (struct linn_run run; n < want; n++) {
        if (!take_run(arena, want_of(k), grow_too && n == 0, &run)) break;
        out[n] = run_address(&run);
        mark_first(out[n], linn_map_entry(pool, c));
    }
    return n;
}

void *linn_arena_take_groups(struct linn_arena *arena, uint32_t groups,
                             bool grow_too) {
    struct want want = {groups * LINN_GROUP_PAGES, 0, groups};
    struct linn_run run;
    if (!take_run(arena, want, grow_too, &run)) return NULL;
    char *block = run_address(&run);
    /* SP.P1 relaxed: the pointer's hand-over publishes it. */
    sync_u32_store_relaxed(&run.chunk->subpages[run.page].pages, want.pages);
    mark_first(block, linn_map_entry(arena->pool, LINN_MAP_GROUPS));
    return block;
}

static uint32_t page_of(const struct linn_chunk *chunk, const void *block) {
    return (uint32_t)((size_t)((const char *)block - (char *)chunk->base) >>
                      chunk->pool->geometry.page_shift);
}

size_t linn_arena_groups_bytes(const struct linn_chunk *chunk,
                               const void *block) {
    const struct linn_subpage *sp = &chunk->subpages[page_of(chunk, block)];
    /* SP.P2 relaxed: the caller holds the block. */
    return (size_t)sync_u32_load_relaxed(&sp->pages)
           << chunk->pool->geometry.page_shift;
}

bool linn_arena_give_groups(struct linn_chunk *chunk, void *block) {
    uint32_t page = page_of(chunk, block);
    /* SP.P2 relaxed: the caller holds the block. */
    uint32_t pages = sync_u32_load_relaxed(&chunk->subpages[page].pages);
    struct want want = {pages, 0, pages / LINN_GROUP_PAGES};
    mark_first(block, 0);
    return give_run(chunk, page, want);
}

/* ---- giving back ---- */

static void report(const char *function, const void *block,
                   const struct linn_size_class *k, uint32_t c,
                   const char *what) {
    char detail[64];
    (void)linn_format(detail, sizeof detail, "class %u", c);
    linn_misuse_report(function, block, block, k->size, what, detail);
}

/* Runs that are not cut into elements. */
static uint32_t give_runs(struct linn_pool_core *pool, uint32_t c,
                          void *const *blocks, uint32_t count,
                          const char *function) {
    const struct linn_size_class *k = &pool->geometry.of[c];
    uint32_t given = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct linn_chunk *chunk = linn_chunk_of(blocks[i]);
        bool ours = chunk != NULL &&
                    linn_page_map_get(blocks[i]) == linn_map_entry(pool, c);
        if (ours) {
            mark_first(blocks[i], 0);
            ours = give_run(chunk, page_of(chunk, blocks[i]), want_of(k));
        }
        if (ours) {
            given++;
        } else {
            report(function, blocks[i], k, c, "already free");
        }
    }
    return given;
}

/* All blocks of `blocks` that lie in the subpage at `base`: their bits, and the
 * same set in *members.  Twice the same block: the second is left in *again. */
struct sharing {
    struct linn_elements elements;
    uint64_t members;
    uint64_t again;
    uint64_t inside; /* no start of an element */
};

static struct sharing sharing_of(uintptr_t base, uintptr_t mask,
                                 const struct linn_size_class *k,
                                 void *const *blocks, uint64_t todo) {
    struct sharing s = {{{0}}, 0, 0, 0};
    for (; todo != 0; todo &= todo - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(todo);
        uintptr_t offset = (uintptr_t)blocks[i] - base;
        if (offset > mask) continue;
        s.members |= UINT64_C(1) << i;
        uint32_t index = linn_class_divide(k, offset);
        uint64_t bit = UINT64_C(1) << index % 64;
        if ((uintptr_t)index * k->size != offset || index >= k->elements) {
            s.inside |= UINT64_C(1) << i;
        } else if (s.elements.word[index / 64] & bit) {
            s.again |= UINT64_C(1) << i;
        } else {
            s.elements.word[index / 64] |= bit;
        }
    }
    return s;
}

static bool holds(const struct linn_elements *e, uintptr_t offset,
                  const struct linn_size_class *k) {
    uint32_t index = linn_class_divide(k, offset);
    return (e->word[index / 64] >> index % 64 & 1) != 0;
}

uint32_t linn_arena_give(struct linn_pool_core *pool, uint32_t c,
                         void *const *blocks, uint32_t count,
                         const char *function) {
    const struct linn_size_class *k = &pool->geometry.of[c];
    if (k->elements == 0) return give_runs(pool, c, blocks, count, function);
    uintptr_t mask =
        ((uintptr_t)1 << (pool->geometry.page_shift + k->run_order)) - 1;
    uint64_t todo = count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
    uint32_t words = linn_class_words(k);
    uint32_t given = 0;
    while (todo != 0) {
        uint32_t first = (uint32_t)__builtin_ctzll(todo);
        uintptr_t base = (uintptr_t)blocks[first] & ~mask;
        struct sharing s = sharing_of(base, mask, k, blocks, todo);
        todo &= ~s.members;

        struct linn_chunk *chunk = linn_chunk_of(blocks[first]);
        bool ours = chunk != NULL &&
                    linn_page_map_get(blocks[first]) == linn_map_entry(pool, c);
        uint32_t fresh = 0;
        if (ours) {
            struct linn_subpage *sp =
                &chunk->subpages[page_of(chunk, (void *)base)];
            struct linn_partial *partial =
                &pool->arenas[linn_chunk_look(chunk).arena].partial[c];
            linn_section_enter(&partial->section);
            (void)linn_subpage_set_bits(sp, &s.elements);
            for (uint32_t w = 0; w < words; w++) {
                fresh += (uint32_t)__builtin_popcountll(s.elements.word[w]);
            }
            if (fresh > 0 && linn_subpage_leave(sp, fresh)) {
                linn_tagged_stack_push(&partial->stack[0], &sp->node);
            }
            linn_section_leave(&partial->section);
            given += fresh;
        }
        if (fresh == (uint32_t)__builtin_popcountll(s.members)) continue;
        /* Something was wrong; say it for each block, outside the section. */
        for (uint64_t m = s.members; m != 0; m &= m - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(m);
            uintptr_t offset = (uintptr_t)blocks[i] - base;
            if (ours && (s.inside >> i & 1)) {
                report(function, blocks[i], k, c, "not the start of a block");
            } else if (!ours || (s.again >> i & 1) ||
                       !holds(&s.elements, offset, k)) {
                report(function, blocks[i], k, c, "already free");
            }
        }
    }
    return given;
}

/* ---- collecting ---- */

static uint32_t collect_class(struct linn_arena *arena, uint32_t c,
                              uint32_t limit) {
    struct linn_pool_core *pool = arena->pool;
    const struct linn_size_class *k = &pool->geometry.of[c];
    struct linn_partial *partial = &arena->partial[c];
    uint32_t from = linn_tagged_stack_is_empty_hint(&partial->stack[0]) ? 1 : 0;
    uint32_t pages = 0;
    for (uint32_t i = 0; i < limit; i++) {
        struct linn_subpage *dead = NULL;
        linn_section_enter(&partial->section);
        struct linn_stack_node *node =
            linn_tagged_stack_pop(&partial->stack[from]);
        if (node != NULL) {
            struct linn_subpage *sp = linn_subpage_of_node(node);
            enum linn_popped p = linn_subpage_popped(sp, k->elements);
            if (p == LINN_POPPED_RETIRED) dead = sp;
            if (p == LINN_POPPED_KEEP) {
                linn_tagged_stack_push(&partial->stack[1 - from], node);
            }
        }
        linn_section_leave(&partial->section);
        if (node == NULL) break;
        if (dead == NULL) continue;
        give_dead_subpage(pool, dead, c);
        pages += k->run_pages;
    }
    return pages;
}

uint32_t linn_arena_collect(struct linn_arena *arena, uint32_t limit) {
    const struct linn_geometry *g = &arena->pool->geometry;
    uint32_t pages = 0;
    for (uint32_t c = 1; c <= g->classes; c++) {
        if (g->of[c].elements == 0) continue;
        pages += collect_class(arena, c, limit);
    }
    return pages;
}

uint32_t linn_arena_release_empty(struct linn_arena *arena) {
    struct linn_pool_core *pool = arena->pool;
    uint32_t released = 0;
    uint32_t limit = place_limit(arena);
    for (uint32_t place = 0; place < limit; place++) {
        /* AR.L2 acquire, pairs with AR.L1. */
        uint32_t slot = sync_u32_load_acquire(&arena->slot_of[place]);
        if (slot == 0) continue;
        struct linn_chunk *chunk = linn_chunk_at(slot - 1);
        uint32_t band;
        linn_section_enter(&arena->section);
        /* CH.H1 acquire, pairs with CH.B1. */
        uint64_t seen = sync_u64_load_acquire(&chunk->guard);
        /* AR.L4 relaxed, after the guard (acquire): see try_place. */
        bool here = sync_u32_load_relaxed(&arena->slot_of[place]) == slot;
        bool dead = here && linn_chunk_retire(chunk, seen, &band);
        if (dead) {
            leave_place(arena, place, slot - 1);
            clear_hint(arena, band, place);
        }
        linn_section_leave(&arena->section);
        if (!dead) continue;
        unmap_chunk(pool, chunk);
        released++;
    }
    struct linn_chunk *spare = take_spare(arena);
    if (spare != NULL) {
        unmap_chunk(pool, spare);
        released++;
    }
    return released;
}

bool linn_arena_is_valid_quiescent(const struct linn_arena *arena) {
    const struct linn_pool_core *pool = arena->pool;
    for (uint32_t place = 0; place < place_limit(arena); place++) {
        /* AR.L2 acquire, pairs with AR.L1. */
        uint32_t slot = sync_u32_load_acquire(&arena->slot_of[place]);
        if (slot == 0) continue;
        const struct linn_chunk *chunk = linn_chunk_at(slot - 1);
        struct linn_guard g = linn_chunk_look(chunk);
        if (g.state != LINN_CHUNK_LIVE || chunk->place != place) return false;
        if (!linn_chunk_is_valid_quiescent(chunk, &pool->bands)) return false;
        uint64_t bits =
            sync_u64_load_relaxed(&arena->hint[g.band][place / 64]); /* AR.H1 */
        if ((bits >> place % 64 & 1) == 0) return false;             /* A2 */
        for (uint32_t page = 0; page < pool->bands.pages; page++) {
            const struct linn_subpage *sp = &chunk->subpages[page];
            struct linn_subpage_guard s = linn_subpage_look(sp);
            if (s.state == LINN_SUBPAGE_DEAD) continue;
            uint32_t total = pool->geometry.of[s.size_class].elements;
            if (!linn_subpage_is_valid_quiescent(sp, total)) return false;
        }
    }
    return true;
}
