#define SYNC_LAYER LINN_COUNT_THREAD_CACHE
#include "alloc/fast_path.h"

#include "alloc/page_map.h"
#include "alloc/pool_core.h"
#include "alloc/thread_cache.h"
#include "sync/asym.h"

#ifndef LINN_BARE
#define LINN_BARE 0
#endif

#define unlikely(x) __builtin_expect(!!(x), 0)

/* The owner's side of revocation: busy, barrier, look.  Returns the token; the
 * body is ours until `done` if *ours.
 *
 * Nothing is stored where `mine` was 0 already: a handler that comes between the
 * two and takes a cache has written its own value there, which must stay.  And the
 * body is read after the store: before it, a handler may put another in its place
 * (both found by TLC, 23 and 32 states). */
static inline uint64_t begin(struct linn_ref *ref, struct linn_body **body,
                             bool *ours) {
#if LINN_BARE
    *body = ref->body;
    *ours = true;
    return 0;
#else
    uint64_t mine = sync_u64_load_relaxed(&ref->mine); /* TC.M1 */
    *ours = false;
    if (unlikely(mine == 0)) return 0;
    sync_u64_store_relaxed(&ref->mine, 0); /* TC.B1 */
    linn_asym_light();
    *body = ref->body; /* never NULL where mine was not 0 */
    /* TC.C1 relaxed: a thief that changed ctl before its heavy barrier is seen
     * here, or sees us busy there. */
    *ours = sync_u64_load_relaxed_is(&(*body)->ctl, mine);
    return mine;
#endif
}

static inline void done(struct linn_ref *ref, uint64_t mine) {
#if LINN_BARE
    (void)ref;
    (void)mine;
#else
    /* TC.E1 release, pairs with TC.T1: a thief that finds us outside has what we
     * did in the magazines behind it. */
    sync_u64_store_release(&ref->mine, mine);
#endif
}

/* Takes the top of the loaded magazine.  False: it is empty, or it is time for a
 * sweep. */
static inline bool pop(struct linn_body *body, size_t c, void **block) {
    struct linn_magazine *m = body->loaded[c];
    uint64_t n = sync_u64_load_relaxed(&m->count); /* MG.L1 */
    if (unlikely(n == 0)) return false;
#if !LINN_BARE
    if (unlikely(sync_owned_decrement(&body->left))) return false; /* TC.L1 */
#endif
    *block = sync_ptr_load_relaxed(linn_magazine_top(m, n)); /* MG.L1 */
    sync_owned_add(&m->count, -1);                           /* MG.S1 */
    return true;
}

static inline bool push(struct linn_magazine *m, void *block) {
    uint64_t n = sync_u64_load_relaxed(&m->count); /* MG.L1 */
    if (unlikely(n == m->limit)) return false;
    sync_ptr_store_relaxed(linn_magazine_free_slot(m, n), block); /* MG.S1 */
    sync_compiler_barrier();      /* slot, then count */
    sync_owned_add(&m->count, 1); /* MG.S1 */
    return true;
}

/* body->loaded of the entry's class, for the default pool's entries; said so that
 * no shift is made. */
static inline struct linn_magazine *loaded_of(struct linn_body *body,
                                              size_t entry) {
    char *loaded = (char *)body->loaded;
    return *(struct linn_magazine **)(void *)(loaded +
                                              entry * (sizeof(void *) / 2));
}

static inline void mark_taken(void *block) {
#if LINN_BARE
    (void)block;
#else
    *(uint64_t *)block = 0;
#endif
}

static inline void mark_freed(void *block) {
#if LINN_BARE
    (void)block;
#else
    *(uint64_t *)block = LINN_FREED_KEY;
#endif
}

/* From the cache of which `ref` tells. */
static inline __attribute__((always_inline)) void *alloc_here(
    struct linn_ref *ref, const struct linn_geometry *g, linn_pool *pool,
    size_t size) {
    size_t index;
    if (__builtin_expect(size <= LINN_FINE_MAX, 1)) {
        index = linn_fine_index(size);
    } else {
        if (unlikely(size > g->table_bytes_max)) {
            return linn_alloc_slow(pool, size, 0);
        }
        index = linn_coarse_index(size);
        sync_opaque(index); /* else clang unites the branches' shifts into one
                               by a variable, with its operands on both */
    }
    size_t c = g->table[index];
    struct linn_body *body = NULL;
    bool ours;
    uint64_t mine = begin(ref, &body, &ours);
    void *block;
    if (unlikely(!ours) || unlikely(!pop(body, c, &block))) {
        return linn_alloc_slow(pool, size, mine);
    }
    done(ref, mine);
    mark_taken(block);
    return block;
}

static __attribute__((noinline)) void *alloc_from(linn_pool *pool,
                                                  size_t size) {
    uint32_t id = (uint32_t)(uintptr_t)pool & 0xff;
    struct linn_ref *ref = &linn_tls.caches->ref[id];
    /* The handle tells a pool that is gone from one made since with the same
     * number, and a thread that has no cache of it.  A handler that comes after
     * this look may have given the cache up. */
    if (unlikely(ref->handle != pool)) {
        return linn_alloc_slow(pool, size, 0);
    }
    return alloc_here(ref, &linn_pool_cores[id].geometry, pool, size);
}

void *linn_alloc(linn_pool *pool, size_t size) {
    if (unlikely(pool != NULL)) return alloc_from(pool, size);
    return alloc_here(&linn_tls.caches->ref[0], &linn_pool_cores[0].geometry,
                      NULL, size);
}

static __attribute__((noinline)) void free_to(void *block, size_t entry) {
    struct linn_ref *ref = &linn_tls.caches->ref[linn_entry_pool(entry)];
    struct linn_body *body = NULL;
    bool ours;
    uint64_t mine = begin(ref, &body, &ours);
    if (unlikely(!ours) ||
        unlikely(!push(body->loaded[linn_entry_class(entry)], block))) {
        linn_free_slow(block, mine);
        return;
    }
    mark_freed(block);
    done(ref, mine);
}

void linn_free(void *block) {
    uintptr_t address = (uintptr_t)block;
    if (unlikely(!linn_page_map_is_flat(address))) {
        linn_free_slow(block, 0);
        return;
    }
    size_t entry = linn_page_map_get_flat(address);
#if LINN_BARE
    if (unlikely(entry == 0)) {
        linn_free_slow(block, 0);
        return;
    }
#else
    if (unlikely(!linn_starts_slot(entry, address)) ||
        unlikely(*(uint64_t *)block == LINN_FREED_KEY)) {
        linn_free_slow(block, 0);
        return;
    }
#endif
    if (unlikely(entry > 0xff)) {
        free_to(block, entry);
        return;
    }
    struct linn_ref *ref = &linn_tls.caches->ref[0];
    struct linn_body *body = NULL;
    bool ours;
    uint64_t mine = begin(ref, &body, &ours);
    if (unlikely(!ours) || unlikely(!push(loaded_of(body, entry), block))) {
        linn_free_slow(block, mine);
        return;
    }
    mark_freed(block);
    done(ref, mine);
}
