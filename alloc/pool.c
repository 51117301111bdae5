#define SYNC_LAYER LINN_COUNT_POOL
#include "alloc/pool.h"

#include <string.h>

#include "alloc/arena.h"
#include "alloc/check.h"
#include "alloc/misuse.h"
#include "alloc/options.h"
#include "alloc/page_map.h"
#include "alloc/page_source.h"
#include "alloc/thread_cache.h"
#include "sync/asym.h"
#include "sync/reclaim.h"
#if LINN_LOCKED
#include "sync/lock.h"
#endif

/* ---- the word ---- */

#define STATE_MASK UINT64_C(0xff)

static uint32_t state_of(uint64_t word) {
    return (uint32_t)(word & STATE_MASK);
}

static uint64_t generation_of(uint64_t word) {
    return word >> 8;
}

static uint64_t with_state(uint64_t word, enum linn_pool_state state) {
    return (word & ~STATE_MASK) | (uint64_t)state;
}

/* Generations begin at 1, so a handle is never NULL and never a small number
 * that a program would make by mistake, such as 1. */
static linn_pool *handle_of(uint32_t id, uint64_t generation) {
    return (linn_pool *)(uintptr_t)(generation << 8 | id);
}

/* ---- building ---- */

static void build_checks(const struct linn_pool_core *core) {
    const struct linn_geometry *g = &core->geometry;
    for (uint32_t c = 1; c <= g->classes; c++) {
        sync_u64 *check = &linn_class_checks.of[linn_map_entry(core, c)];
        uint64_t mask =
            (UINT64_C(1) << (g->page_shift + g->of[c].run_order)) - 1;
        /* A run that is not cut has one slot: no offset but 0 is a start. */
        uint64_t size = g->of[c].elements > 0 ? g->of[c].size : mask + 1;
        sync_u64_store_relaxed(&check[1], mask);                  /* CC.N1 */
        sync_u64_store_relaxed(&check[0], UINT64_MAX / size + 1); /* CC.N1 */
    }
}

static void clear_checks(const struct linn_pool_core *core) {
    for (uint32_t c = 1; c <= core->geometry.classes; c++) {
        sync_u64 *check = &linn_class_checks.of[linn_map_entry(core, c)];
        sync_u64_store_relaxed(&check[0], 0); /* CC.N1 */
    }
}

static bool build(struct linn_pool_core *core, uint32_t id,
                  const struct linn_options *options) {
    core->id = id;
    core->options = *options;
    struct linn_geometry_options g = {
        options->page_size,
        options->chunk_order,
        options->alignment,
        options->size_classes == LINN_CLASSES_POWER_OF_TWO,
        options->small_cache,
        options->normal_cache,
        options->cached_max,
    };
    linn_geometry_init(&core->geometry, &g);
    LINN_INVARIANT(linn_geometry_is_valid(&core->geometry));
    linn_bands_init(&core->bands, core->geometry.chunk_pages);
    uint32_t offset = 0;
    for (uint32_t c = 1; c <= core->geometry.classes; c++) {
        core->magazine_offset[c] = offset;
        offset += 2 * (uint32_t)linn_magazine_bytes(core->geometry.of[c].batch);
    }
    linn_page_map_init();
    if (core->arenas == NULL && options->arenas > 0) {
        core->arenas = (struct linn_arena *)linn_page_source_reserve(
            LINN_ARENAS_MAX * sizeof(struct linn_arena));
        if (core->arenas == NULL) return false;
    }
    core->set.count = (uint32_t)options->arenas;
    for (uint32_t i = 0; i < core->set.count; i++) {
        core->set.arena[i] = &core->arenas[i];
        linn_arena_init(&core->arenas[i], core, i);
    }
    build_checks(core);
    linn_reclaim_publish(&core->published, &core->set);
    return true;
}

/* Takes a core from FREE to BUILDING; its word, or 0. */
static uint64_t claim(struct linn_pool_core *core) {
    /* PC.H1 acquire, pairs with PC.L1. */
    uint64_t seen = sync_u64_load_acquire(&core->word);
    while (state_of(seen) == LINN_POOL_FREE) {
        uint64_t next = (generation_of(seen) + 1) << 8 | LINN_POOL_BUILDING;
        /* PC.C1 acquire, pairs with PC.F1: the last pool here is gone. */
        if (sync_u64_cas_acquire_relaxed(&core->word, &seen, next)) return next;
    }
    return 0;
}

#if LINN_LOCKED
/* What LINN_LOCK says; LINN_LOCK_KINDS when it is no lock's name. */
static enum linn_lock_kind wanted_lock(void) {
    const char *lock = linn_switches_get()->lock;
    return lock == NULL ? LINN_LOCK_MUTEX : linn_lock_kind_by_name(lock);
}

static void choose_lock(void) {
    enum linn_lock_kind kind = wanted_lock();
    if (kind != LINN_LOCK_KINDS) {
        linn_lock_choose(kind);
        return;
    }
    char names[64] = "";
    size_t used = 0;
    for (int k = 0; k < LINN_LOCK_KINDS; k++) {
        used += linn_format(names + used, sizeof names - used, "%s%s",
                            k == 0 ? "" : ", ",
                            linn_lock_kind_name((enum linn_lock_kind)k));
    }
    linn_options_reject_lock(names);
}
#endif

static void start(void) {
    linn_thread_cache_start();
    (void)linn_asym_start();
#if LINN_LOCKED
    choose_lock();
#endif
}

static void show(const char *title, const struct linn_options *in,
                 const struct linn_options *out) {
    if (!linn_switches_get()->show_options) return;
    linn_options_show(2, title, in, out);
#if LINN_LOCKED
    enum linn_lock_kind kind = wanted_lock();
    if (kind == LINN_LOCK_KINDS) kind = LINN_LOCK_MUTEX;
    linn_options_show_lock(2, linn_lock_kind_name(kind));
#endif
}

static void build_default(void) {
    struct linn_pool_core *core = &linn_pool_cores[0];
    uint64_t word = claim(core);
    if (word == 0) return;
    start();
    struct linn_options options;
    linn_options_resolve_default(&options);
    core->handle = NULL;
    if (!build(core, 0, &options)) {
        /* PC.F1 release, pairs with PC.C1: the next call tries again. */
        sync_u64_store_release(&core->word, with_state(word, LINN_POOL_FREE));
        return;
    }
    /* PC.L1 release, pairs with PC.H1. */
    sync_u64_store_release(&core->word, with_state(word, LINN_POOL_LIVE));
    show("default pool", NULL, &options);
}

/* Before the constructors of programs and libraries that have no priority. */
__attribute__((constructor(101))) static void at_load(void) {
    build_default();
}

/* ---- finding ---- */

/* What requests get that meet the default pool half built. */
static struct linn_pool_core unbuilt;

struct linn_pool_core *linn_pool_find(linn_pool *handle, const char *function) {
    uint64_t value = (uint64_t)(uintptr_t)handle;
    struct linn_pool_core *core = &linn_pool_cores[value & 0xff];
    /* PC.H1 acquire, pairs with PC.L1. */
    uint64_t word = sync_u64_load_acquire(&core->word);
    if (handle == NULL) {
        if (state_of(word) == LINN_POOL_LIVE) return core;
        build_default();
        word = sync_u64_load_acquire(&core->word); /* PC.H1 */
        if (state_of(word) == LINN_POOL_LIVE) return core;
        linn_page_map_init();
        return &unbuilt;
    }
    if ((value & 0xff) != 0 && generation_of(word) == value >> 8 &&
        state_of(word) == LINN_POOL_LIVE) {
        return core;
    }
    linn_misuse_report(function, handle, NULL, 0,
                       "no live pool has this handle (destroyed, or no pool)",
                       NULL);
    return NULL;
}

bool linn_pool_is_pooled(const struct linn_pool_core *core) {
    return core->set.count > 0;
}

/* ---- making and ending ---- */

static void complain(char *error, size_t error_size, const char *why) {
    if (error != NULL && error_size > 0) {
        (void)linn_format(error, error_size, "%s", why);
    }
}

linn_pool *linn_pool_create(const struct linn_options *options, char *error,
                            size_t error_size) {
    (void)linn_pool_find(NULL, __func__); /* the library is started */
    struct linn_options resolved;
    if (!linn_options_resolve(options, &resolved, error, error_size)) {
        return NULL;
    }
    for (uint32_t id = 1; id < LINN_POOLS_MAX; id++) {
        struct linn_pool_core *core = &linn_pool_cores[id];
        uint64_t word = claim(core);
        if (word == 0) continue;
        core->handle = handle_of(id, generation_of(word));
        memset(&core->tally, 0, sizeof core->tally);
        if (!build(core, id, &resolved)) {
            /* PC.F1 release, pairs with PC.C1. */
            sync_u64_store_release(&core->word,
                                   with_state(word, LINN_POOL_FREE));
            complain(error, error_size, "no memory for the pool's arenas");
            return NULL;
        }
        /* PC.L1 release, pairs with PC.H1. */
        sync_u64_store_release(&core->word, with_state(word, LINN_POOL_LIVE));
        show("pool", options, &resolved);
        return core->handle;
    }
    complain(error, error_size, "255 pools exist already");
    return NULL;
}

static uint64_t live_blocks(struct linn_pool_core *core) {
    uint64_t sum[LINN_TALLY_FIELDS], blocks, bytes;
    (void)linn_cache_sum(core, sum, &blocks, &bytes);
    return sum[LINN_TALLY_ALLOCATIONS] + sum[LINN_TALLY_HITS] -
           sum[LINN_TALLY_FREES] - sum[LINN_TALLY_STORED];
}

void linn_pool_reclaim(struct linn_pool_core *core) {
    (void)linn_cache_adopt(LINN_THREADS_MAX);
    (void)linn_cache_drain_all(core);
    for (uint32_t i = 0; i < core->set.count; i++) {
        (void)linn_arena_collect(core->set.arena[i], UINT32_MAX);
        (void)linn_arena_collect(core->set.arena[i], UINT32_MAX);
        (void)linn_arena_release_empty(core->set.arena[i]);
    }
}

bool linn_pool_destroy(linn_pool *pool, size_t *live) {
    if (live != NULL) *live = 0;
    if (pool == NULL) return false;
    struct linn_pool_core *core = linn_pool_find(pool, __func__);
    if (core == NULL) return false;
    /* PC.H1 acquire, pairs with PC.L1. */
    uint64_t word = sync_u64_load_acquire(&core->word);
    uint64_t dying = with_state(word, LINN_POOL_DYING);
    /* Since the handle was looked up another destroyer may have ended the pool, and
     * somebody made a new one here: that one is not ours to end.
     * PC.D1 acq_rel, pairs with PC.L1: one of two destroyers goes on. */
    if (generation_of(word) != (uint64_t)(uintptr_t)pool >> 8 ||
        state_of(word) != LINN_POOL_LIVE ||
        !sync_u64_cas_acq_rel_relaxed(&core->word, &word, dying)) {
        return false;
    }
    for (uint32_t i = 0; i < core->set.count; i++) {
        LINN_INVARIANT(linn_arena_is_valid_quiescent(core->set.arena[i]));
    }
    (void)linn_cache_adopt(LINN_THREADS_MAX);
    uint32_t draining = linn_cache_end_all(core);
    linn_pool_reclaim(core);
    uint64_t blocks = live_blocks(core);
    if (live != NULL) *live = (size_t)blocks;
    if (blocks != 0 || draining != 0) {
        /* PC.U1 release, pairs with PC.H1: as if nothing had been asked. */
        sync_u64_store_release(&core->word, with_state(dying, LINN_POOL_LIVE));
        return false;
    }
    linn_reclaim_publish(&core->published, NULL);
    clear_checks(core);
    /* PC.F1 release, pairs with PC.C1. */
    sync_u64_store_release(&core->word, with_state(dying, LINN_POOL_FREE));
    return true;
}

bool linn_pool_counters(linn_pool *pool, struct linn_counters *out) {
    if (out == NULL || out->size != sizeof *out) return false;
    struct linn_pool_core *core = linn_pool_find(pool, __func__);
    if (core == NULL) return false;
    uint64_t sum[LINN_TALLY_FIELDS];
    uint64_t blocks, bytes;
    out->thread_caches = linn_cache_sum(core, sum, &blocks, &bytes);
    out->allocations = sum[LINN_TALLY_ALLOCATIONS] + sum[LINN_TALLY_HITS];
    out->frees = sum[LINN_TALLY_FREES] + sum[LINN_TALLY_STORED];
    out->live_blocks = out->allocations - out->frees;
    out->cached_blocks = blocks;
    out->cached_bytes = bytes;
    out->cache_hits = sum[LINN_TALLY_HITS];
    out->refills = sum[LINN_TALLY_REFILLS];
    out->flushes = sum[LINN_TALLY_FLUSHES];
    out->drains = sum[LINN_TALLY_DRAINS];
    out->subpages =
        sum[LINN_TALLY_SUBPAGES_BORN] - sum[LINN_TALLY_SUBPAGES_DIED];
    out->chunks = sum[LINN_TALLY_CHUNKS_BORN] - sum[LINN_TALLY_CHUNKS_DIED];
    out->chunks_born = sum[LINN_TALLY_CHUNKS_BORN];
    out->chunks_died = sum[LINN_TALLY_CHUNKS_DIED];
    out->huge_blocks = sum[LINN_TALLY_HUGE_BORN] - sum[LINN_TALLY_HUGE_DIED];
    out->huge_bytes =
        sum[LINN_TALLY_HUGE_BYTES_BORN] - sum[LINN_TALLY_HUGE_BYTES_DIED];
    out->held_bytes =
        sum[LINN_TALLY_HELD_BYTES_TAKEN] - sum[LINN_TALLY_HELD_BYTES_GIVEN];
    out->arenas = core->set.count;
    out->os_calls = sum[LINN_TALLY_OS_CALLS];
    out->out_of_memory = sum[LINN_TALLY_OUT_OF_MEMORY];
    return true;
}
