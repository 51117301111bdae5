#ifndef LINN_VERIFY_CACHE_WORLD_H_
#define LINN_VERIFY_CACHE_WORLD_H_

/* A pool for scenarios of thread caches: three size classes, chunks of two pages,
 * magazines of one block, so that a cache is soon full and soon drained; and the end
 * of a thread, natively a real one's. */

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/linn.h"
#include "alloc/page_source.h"
#include "alloc/pool.h"
#include "alloc/thread_cache.h"
#include "verify/scenario.h"

#define WORLD_BYTES 2000

static linn_pool *pool;
static struct linn_pool_core *core;

static inline void world_shrink(struct linn_options *options,
                                size_t chunk_order) {
    options->page_size = 4096;
    options->chunk_order = chunk_order;
    options->alignment = 2048;
    options->size_classes = LINN_CLASSES_POWER_OF_TWO;
    options->small_cache = 2;
    options->normal_cache = 2;
}

static inline void world_is_made(void) {
    core = linn_pool_find(pool, "before");
    linn_scenario_statistic(&core->tally, sizeof core->tally);
    linn_scenario_statistic(&linn_page_source_state.calls,
                            sizeof linn_page_source_state.calls);
}

static inline void world_begin(void) {
    if (pool != NULL) return;
    struct linn_options options = LINN_OPTIONS_INIT;
    options.arenas = 1;
    world_shrink(&options, 1);
    pool = linn_pool_create(&options, NULL, 0);
    LINN_SCENARIO_CHECK(pool != NULL);
    world_is_made();
}

static inline struct linn_counters world_counters(void) {
    struct linn_counters c;
    c.size = sizeof c;
    LINN_SCENARIO_CHECK(linn_pool_counters(pool, &c));
    return c;
}

/* One block: the calling thread has a cache afterwards, with that block in it. */
static inline void world_visit(void) {
    long *a = linn_alloc(pool, WORLD_BYTES);
    LINN_SCENARIO_CHECK(a != NULL);
    linn_scenario_touch(a);
    linn_free(a);
}

/* The calling thread has a record, and no cache. */
static inline void world_register(void) {
    (void)linn_cache_adopt(0);
}

/* All threads are outside: every cache can be taken, and then nothing is held. */
static inline void world_end(void) {
    LINN_SCENARIO_CHECK(linn_cache_drain_all(core) == 0);
    LINN_SCENARIO_CHECK(linn_arena_is_valid_quiescent(core->set.arena[0]));
    linn_pool_reclaim(core);
    struct linn_counters c = world_counters();
    LINN_SCENARIO_CHECK(c.live_blocks == 0 && c.held_bytes == 0);
}

/* `life` on a thread of its own, which dies by a bare exit of the kernel's, or ends
 * as threads do; back when it is gone.  Under a checker it is the calling thread,
 * whose part is over then. */
#if LINN_SCENARIO_SMALL
static inline void world_life(void (*life)(void), bool dies) {
    life();
    if (dies) linn_scenario_dies();
    linn_scenario_ends();
}
#else
struct world_life {
    void (*life)(void);
    bool dies;
};

static void *world_live(void *argument) {
    const struct world_life *l = argument;
    l->life();
    if (l->dies) (void)syscall(SYS_exit, 0);
    return NULL;
}

static inline void world_life(void (*life)(void), bool dies) {
    pthread_t t;
    struct world_life l = {life, dies};
    LINN_SCENARIO_CHECK(pthread_create(&t, NULL, world_live, &l) == 0);
    (void)pthread_join(t, NULL);
}
#endif

#endif /* LINN_VERIFY_CACHE_WORLD_H_ */
