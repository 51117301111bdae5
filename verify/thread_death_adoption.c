/* A thread fills its cache and dies by a bare exit of the kernel's: no destructor
 * runs.  Two others take over what dead threads left, at the same time, and go on
 * allocating; the blocks of the dead come back, each once.
 *
 * Not under ThreadSanitizer or AddressSanitizer: they never learn that the thread is
 * gone, and stumble over what it left in the stack that the next one gets. */

#include "verify/cache_world.h"

#define BYTES  500
#define BLOCKS (LINN_SCENARIO_SMALL ? 3 : 5)

static uint32_t found[2];

static void before(void) {
    if (pool == NULL) {
        struct linn_options options = LINN_OPTIONS_INIT;
        options.arenas = 1;
        if (LINN_SCENARIO_SMALL) world_shrink(&options, 2);
        pool = linn_pool_create(&options, NULL, 0);
        LINN_SCENARIO_CHECK(pool != NULL);
        world_is_made();
#if LINN_SCENARIO_SMALL
        for (int t = 0; t < 2; t++)
            linn_scenario_prepare(t, world_visit);
#endif
    }
    found[0] = found[1] = 0;
}

static void visit(void) {
    long *block[5];
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = linn_alloc(pool, BYTES);
        LINN_SCENARIO_CHECK(block[i] != NULL);
        linn_scenario_touch(block[i]);
    }
    for (int i = 0; i < BLOCKS; i++)
        linn_free(block[i]);
}

static void thread0(void) {
    world_life(visit, true); /* under a checker nothing comes after it */
    visit();
    found[0] = linn_cache_adopt(LINN_THREADS_MAX);
}

static void thread1(void) {
    visit();
    found[1] = linn_cache_adopt(LINN_THREADS_MAX);
    visit();
}

enum { BY_THE_FIRST, BY_THE_SECOND };

static void after(void) {
    if (found[0] > 0) linn_scenario_saw(BY_THE_FIRST);
    if (found[1] > 0) linn_scenario_saw(BY_THE_SECOND);
    (void)linn_cache_adopt(LINN_THREADS_MAX);
    struct linn_counters c;
    c.size = sizeof c;
    LINN_SCENARIO_CHECK(linn_pool_counters(pool, &c));
    LINN_SCENARIO_CHECK(c.live_blocks == 0);
    LINN_SCENARIO_CHECK(c.thread_caches <= 2); /* none of the dead's */
    if (linn_scenario_round() % 64 != 0) return;
    LINN_SCENARIO_CHECK(linn_cache_drain_all(core) == 0);
    linn_pool_reclaim(core);
    LINN_SCENARIO_CHECK(linn_pool_counters(pool, &c));
    LINN_SCENARIO_CHECK(c.held_bytes == 0 && c.subpages == 0);
}

LINN_SCENARIO(thread_death_adoption,
              .labels = "TC.C3 TC.F1 TC.H1 MG.L1 TR.D1 TR.E1 TR.A1",
              .bound = "one dead thread with 5 blocks; two adopters",
              .before = before, .thread = {thread0, thread1}, .after = after,
              .outcome = {[BY_THE_FIRST] = LINN_SCENARIO_SMALL
                                               ? "?adopted by the first"
                                               : "adopted by the first",
                          [BY_THE_SECOND] = LINN_SCENARIO_SMALL
                                                ? "adopted by the second"
                                                : "?adopted by the second"},
              .rounds = 5000);
