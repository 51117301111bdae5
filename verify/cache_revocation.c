/* Two owners pop and push in their caches, while a thief takes whatever cache has
 * its owner outside, and so moves blocks from one thread to another.  Each block is
 * written with plain accesses by whoever has it. */

#include "verify/cache_world.h"

#define BYTES 1000

static void *handed; /* by the first thread of the round before to the second */
static uint32_t left;
static uint64_t drains;

static uint64_t drained(void) {
    struct linn_counters c;
    c.size = sizeof c;
    LINN_SCENARIO_CHECK(linn_pool_counters(pool, &c));
    LINN_SCENARIO_CHECK(c.live_blocks == 0);
    return c.drains;
}

static void before(void) {
    if (pool == NULL) {
        struct linn_options options = LINN_OPTIONS_INIT;
        options.arenas = 1;
        options.cache_sweep = 16; /* the owner's own flushes, too */
        if (LINN_SCENARIO_SMALL) world_shrink(&options, 2);
        pool = linn_pool_create(&options, NULL, 0);
        LINN_SCENARIO_CHECK(pool != NULL);
        world_is_made();
#if LINN_SCENARIO_SMALL
        for (int t = 0; t < 3; t++)
            linn_scenario_prepare(t, world_visit);
#endif
    }
    drains = drained();
    handed = linn_alloc(pool, BYTES);
    LINN_SCENARIO_CHECK(handed != NULL);
    linn_scenario_touch((long *)handed);
}

static void visit(void) {
    long *a = linn_alloc(pool, BYTES), *b = linn_alloc(pool, BYTES);
    LINN_SCENARIO_CHECK(a != NULL && b != NULL && a != b);
    linn_scenario_touch(a);
    linn_scenario_touch(b);
    linn_free(a);
    linn_free(b);
}

static void thread0(void) {
    visit();
}

static void thread1(void) {
    linn_scenario_touch((long *)handed);
    linn_free(handed);
    visit();
}

static void thread2(void) {
    visit(); /* a thief has a cache, or it has no name */
    left = linn_cache_drain_all(core);
}

enum { DRAINED, LEFT };

static void after(void) {
    if (drained() != drains) linn_scenario_saw(DRAINED);
    if (left > 0) linn_scenario_saw(LEFT);
    if (linn_scenario_round() % 256 != 0) return;
    /* With all threads outside nothing resists. */
    LINN_SCENARIO_CHECK(linn_cache_drain_all(core) == 0);
    LINN_SCENARIO_CHECK(linn_arena_is_valid_quiescent(core->set.arena[0]));
    linn_pool_reclaim(core);
    struct linn_counters c;
    c.size = sizeof c;
    LINN_SCENARIO_CHECK(linn_pool_counters(pool, &c));
    LINN_SCENARIO_CHECK(c.held_bytes == 0);
}

LINN_SCENARIO(cache_revocation,
              .labels =
                  "TC.C1 TC.B1 TC.E1 TC.R1 TC.T1 TC.C3 TC.F1 TC.O1 TC.H1 "
                  "TC.P1 TC.P2 MG.L1 MG.S1",
              .bound = "two owners, 2 blocks each, one handed over; one thief",
              .before = before, .thread = {thread0, thread1, thread2},
              .after = after,
              .outcome = {[DRAINED] = "a cache was taken",
                          [LEFT] = "?an owner inside was left alone"},
              .rounds = 100000);
