#define SYNC_LAYER LINN_COUNT_POOL
/* The public functions but the fast path (alloc/fast_path.c): what a call does
 * that its thread's cache does not serve. */

#include "alloc/linn.h"

#include <errno.h>
#include <string.h>

#include "alloc/arena.h"
#include "alloc/check.h"
#include "alloc/fast_path.h"
#include "alloc/huge.h"
#include "alloc/misuse.h"
#include "alloc/page_map.h"
#include "alloc/pool.h"
#include "alloc/thread_cache.h"

const char *linn_version(void) {
    return "0.1.0";
}

/* ---- what an address is ---- */

enum kind { KIND_NONE, KIND_SLOT, KIND_GROUPS, KIND_HUGE };

struct block {
    enum kind kind;
    struct linn_pool_core *core;
    struct linn_chunk *chunk;
    uint32_t size_class; /* of a KIND_SLOT */
    size_t bytes;
};

/* The block that begins at p; KIND_NONE when none does. */
static struct block block_at(const void *p) {
    struct block b = {KIND_NONE, NULL, NULL, 0, 0};
    uintptr_t address = (uintptr_t)p;
    uint32_t entry = linn_page_map_get(p);
    if (entry == 0) return b;
    uint32_t c = linn_entry_class(entry);
    b.core = &linn_pool_cores[linn_entry_pool(entry)];
    if (c == LINN_MAP_GROUPS || c == LINN_MAP_HUGE) {
        if (address & (((uintptr_t)1 << LINN_MAP_SHIFT) - 1)) return b;
        b.chunk = linn_chunk_of(p);
        if (b.chunk == NULL) return b;
        b.core = b.chunk->pool;
        if (c == LINN_MAP_HUGE) {
            b.kind = KIND_HUGE;
            b.bytes = linn_huge_bytes(b.chunk);
        } else {
            b.kind = KIND_GROUPS;
            b.bytes = linn_arena_groups_bytes(b.chunk, p);
        }
        return b;
    }
    if (!linn_starts_slot(entry, address)) return b;
    b.kind = KIND_SLOT;
    b.size_class = c;
    b.bytes = b.core->geometry.of[c].size;
    return b;
}

/* What a message says of a block: where it is, and its class in words. */
struct place {
    const void *block; /* NULL: none of ours, or none any more */
    size_t bytes;
    char kind[24]; /* "class 17", "group run", "huge" */
};

static void name_class(struct place *at, uint32_t c) {
    if (c == LINN_MAP_GROUPS) {
        (void)linn_format(at->kind, sizeof at->kind, "group run");
    } else if (c == LINN_MAP_HUGE) {
        (void)linn_format(at->kind, sizeof at->kind, "huge");
    } else {
        (void)linn_format(at->kind, sizeof at->kind, "class %u", c);
    }
}

static void report_place(const char *function, const void *p,
                         const struct place *at, const char *what) {
    linn_misuse_report(function, p, at->block, at->bytes, what,
                       at->block == NULL ? NULL : at->kind);
}

/* The block that p lies inside of, by looking backward for the nearest entry.
 * Slow, racy, and only for messages. */
static const char *explain(const void *p, struct place *found) {
    *found = (struct place){NULL, 0, ""};
    struct linn_chunk *chunk = linn_chunk_of(p);
    if (chunk == NULL) return "not a pointer of linn's";
    struct linn_guard g = linn_chunk_look(chunk);
    if (g.state == LINN_CHUNK_HUGE) {
        found->block = chunk->base;
        found->bytes = chunk->bytes;
        name_class(found, LINN_MAP_HUGE);
        return "inside a block, not its start";
    }
    if (g.state != LINN_CHUNK_LIVE) return "already free: its chunk is gone";
    uintptr_t base = (uintptr_t)chunk->base;
    uintptr_t at = (uintptr_t)p & ~(((uintptr_t)1 << LINN_MAP_SHIFT) - 1);
    for (; at >= base; at -= (uintptr_t)1 << LINN_MAP_SHIFT) {
        uint32_t entry = linn_page_map_get((const void *)at);
        if (entry == 0) continue;
        uint32_t c = linn_entry_class(entry);
        const struct linn_geometry *geometry = &chunk->pool->geometry;
        uintptr_t start = at;
        size_t size;
        if (c == LINN_MAP_GROUPS) {
            size = linn_arena_groups_bytes(chunk, (const void *)at);
        } else if (geometry->of[c].elements == 0) {
            size = geometry->of[c].size;
        } else {
            /* Its entries go as far as the run. */
            if ((uintptr_t)p - at >= (uintptr_t)1 << LINN_MAP_SHIFT) break;
            const struct linn_size_class *k = &geometry->of[c];
            uintptr_t mask =
                ((uintptr_t)1 << (geometry->page_shift + k->run_order)) - 1;
            start = (uintptr_t)p & ~mask;
            start += ((uintptr_t)p - start) / k->size * k->size;
            size = k->size;
        }
        if ((uintptr_t)p - start >= size) break;
        found->block = (const void *)start;
        found->bytes = size;
        name_class(found, c);
        return start == (uintptr_t)p ? "already free"
                                     : "inside a block, not its start";
    }
    return "already free: its pages are free";
}

static void report_pointer(const char *function, const void *p) {
    struct place found;
    const char *what = explain(p, &found);
    report_place(function, p, &found, what);
}

/* ---- alloc ---- */

static void count_out_of_memory(struct linn_pool_core *core) {
    linn_tally_add(&core->tally, LINN_TALLY_OUT_OF_MEMORY, 1);
}

static void *take_class(struct linn_pool_core *core, uint32_t c,
                        uint64_t token) {
    struct linn_visit v;
    linn_visit_enter(&v, core, token, core->options.cache != 0);
    void *block = linn_cache_alloc(&v, core, c);
    linn_visit_leave(&v);
    return block;
}

/* With a plain store where the visit has a body, which counts for its owner. */
static void count_one(struct linn_visit *v, struct linn_pool_core *core,
                      enum linn_tally_field field) {
    struct linn_tally *own = linn_visit_tally(v);
    if (own != NULL) {
        linn_tally_own(own, field, 1);
    } else {
        linn_tally_add(&core->tally, field, 1);
    }
}

static void *take_groups(struct linn_pool_core *core, size_t bytes) {
    const struct linn_geometry *g = &core->geometry;
    size_t group = (size_t)LINN_GROUP_PAGES << g->page_shift;
    uint32_t groups = (uint32_t)((bytes + group - 1) / group);
    struct linn_visit v;
    linn_visit_enter(&v, core, 0, core->options.cache != 0);
    struct linn_arena *own = linn_visit_arena(&v, core);
    void *block = linn_arena_take_groups(own, groups, true);
    for (uint32_t i = 0; block == NULL && i < core->set.count; i++) {
        block = linn_arena_take_groups(core->set.arena[i], groups, false);
    }
    if (block != NULL) count_one(&v, core, LINN_TALLY_ALLOCATIONS);
    linn_visit_leave(&v);
    return block;
}

static void *take_huge(struct linn_pool_core *core, size_t bytes,
                       size_t alignment) {
    void *block = linn_huge_take(core, bytes, alignment);
    if (block != NULL) linn_tally_add(&core->tally, LINN_TALLY_ALLOCATIONS, 1);
    return block;
}

/* Once; the caller decides whether to reclaim and ask again. */
static void *take_once(struct linn_pool_core *core, size_t size,
                       size_t alignment, uint64_t token) {
    const struct linn_geometry *g = &core->geometry;
    if (!linn_pool_is_pooled(core)) return take_huge(core, size, alignment);
    if (size <= g->class_bytes_max) {
        uint32_t c = alignment == 0 ? linn_class_of(g, size)
                                    : linn_class_of_aligned(g, alignment, size);
        if (c != 0) return take_class(core, c, token);
    }
    /* A group run begins at a multiple of its size, rounded up to a power of
     * two; a chunk of fewer pages than a group has no groups. */
    if (size < alignment) size = alignment;
    if (size <= g->chunk_bytes && g->chunk_pages >= LINN_GROUP_PAGES) {
        return take_groups(core, size);
    }
    return take_huge(core, size, alignment);
}

static void *take(struct linn_pool_core *core, size_t size, size_t alignment,
                  uint64_t token) {
    if (size > PTRDIFF_MAX) {
        count_out_of_memory(core);
        return NULL;
    }
    int saved = errno;
    void *block = take_once(core, size, alignment, token);
    if (block == NULL && linn_pool_is_pooled(core)) {
        /* The system refuses: what others have cached may be enough. */
        linn_pool_reclaim(core);
        block = take_once(core, size, alignment, 0);
    }
    if (block == NULL) count_out_of_memory(core);
    errno = saved;
    return block;
}

/* The fast path clears the word by which a second free is recognized; so do the
 * blocks that did not come through it. */
static void *unmarked(void *block) {
    if (block != NULL) *(uint64_t *)block = 0;
    return block;
}

void *linn_alloc_slow(linn_pool *pool, size_t size, uint64_t token) {
    struct linn_pool_core *core = linn_pool_find(pool, LINN_NAME_OF(alloc));
    if (core == NULL) return NULL;
    return unmarked(take(core, size, 0, token));
}

void *linn_alloc_aligned(linn_pool *pool, size_t alignment, size_t size) {
    struct linn_pool_core *core = linn_pool_find(pool, __func__);
    if (core == NULL) return NULL;
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) return NULL;
    size_t most = core->geometry.chunk_bytes;
    if (!linn_pool_is_pooled(core) && most < LINN_GRANULE_BYTES) {
        most = LINN_GRANULE_BYTES;
    }
    if (alignment > most) return NULL;
    return unmarked(take(core, size, alignment, 0));
}

/* ---- free ---- */

/* A block whose first word says "freed" may be one that its user left so.  It is
 * free for certain if its bit is set or it lies in a magazine. */
static bool is_free_already(const struct block *b, const void *p) {
    const struct linn_geometry *g = &b->core->geometry;
    const struct linn_size_class *k = &g->of[b->size_class];
    if (k->elements > 0) {
        struct linn_chunk *chunk = linn_chunk_of(p);
        if (chunk == NULL) return true;
        uintptr_t mask = ((uintptr_t)1 << (g->page_shift + k->run_order)) - 1;
        uintptr_t run = (uintptr_t)p & ~mask;
        size_t page = (run - (uintptr_t)chunk->base) >> g->page_shift;
        uint32_t index = (uint32_t)(((uintptr_t)p - run) / k->size);
        if (linn_subpage_is_free_hint(&chunk->subpages[page], index)) {
            return true;
        }
    }
    return linn_cache_holds_hint(b->core, b->size_class, p);
}

/* Whether p, which begins a block, may be used by who names it; reported if not. */
static bool may_use(const char *function, const struct block *b,
                    const void *p) {
    if (b->kind == KIND_NONE) {
        report_pointer(function, p);
        return false;
    }
    if (b->kind == KIND_SLOT && *(const uint64_t *)p == LINN_FREED_KEY &&
        is_free_already(b, p)) {
        struct place here = {p, b->bytes, ""};
        name_class(&here, b->size_class);
        report_place(function, p, &here, "already free");
        return false;
    }
    return true;
}

static void give_groups(const char *function, void *p, const struct block *b) {
    if (!linn_arena_give_groups(b->chunk, p)) {
        report_pointer(function, p);
        return;
    }
    struct linn_visit v;
    linn_visit_enter(&v, b->core, 0, false);
    count_one(&v, b->core, LINN_TALLY_FREES);
    linn_visit_leave(&v);
}

static void give(const char *function, void *p, const struct block *b,
                 uint64_t token) {
    struct linn_pool_core *core = b->core;
    if (!may_use(function, b, p)) return;
    switch (b->kind) {
        case KIND_NONE:
            return;
        case KIND_HUGE:
            if (!linn_huge_give(p)) {
                report_pointer(function, p);
                return;
            }
            linn_tally_add(&core->tally, LINN_TALLY_FREES, 1);
            return;
        case KIND_GROUPS:
            give_groups(function, p, b);
            return;
        case KIND_SLOT:
            break;
    }
    struct linn_visit v;
    linn_visit_enter(&v, core, token, core->options.cache != 0);
    (void)linn_cache_free(&v, core, b->size_class, p, function);
    linn_visit_leave(&v);
}

void linn_free_slow(void *p, uint64_t token) {
    if (p == NULL) return;
    int saved = errno;
    struct block b = block_at(p);
    give(LINN_NAME_OF(free), p, &b, token);
    errno = saved;
}

/* ---- the rest ---- */

void *linn_realloc(linn_pool *pool, void *block, size_t size) {
    if (block == NULL) return linn_alloc(pool, size);
    struct block b = block_at(block);
    if (!may_use(__func__, &b, block)) return NULL;
    /* In place, unless a move halves the slot. */
    if (size <= b.bytes && (size >= b.bytes / 2 ||
                            linn_good_size(b.core->handle, size) == b.bytes)) {
        return block;
    }
    void *moved = linn_alloc(b.core->handle, size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, size < b.bytes ? size : b.bytes);
    linn_free(block);
    return moved;
}

size_t linn_usable_size(const void *block) {
    if (block == NULL) return 0;
    struct block b = block_at(block);
    return may_use(__func__, &b, block) ? b.bytes : 0;
}

size_t linn_good_size(linn_pool *pool, size_t size) {
    struct linn_pool_core *core = linn_pool_find(pool, __func__);
    if (core == NULL || size > PTRDIFF_MAX - LINN_GRANULE_BYTES) return 0;
    const struct linn_geometry *g = &core->geometry;
    if (linn_pool_is_pooled(core)) {
        if (size <= g->class_bytes_max) {
            return g->of[linn_class_of(g, size)].size;
        }
        if (size <= g->chunk_bytes && g->chunk_pages >= LINN_GROUP_PAGES) {
            size_t group = (size_t)LINN_GROUP_PAGES << g->page_shift;
            return (size + group - 1) / group * group;
        }
    }
    if (size == 0) size = 1;
    return (size + LINN_GRANULE_BYTES - 1) & ~(LINN_GRANULE_BYTES - 1);
}

bool linn_thread_flush(void) {
    return linn_cache_flush_own();
}
