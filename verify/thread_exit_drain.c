/* A thread ends while a thief takes caches: the exit and the thief both want the same
 * body, and its blocks come back once. */

#include "verify/cache_world.h"

static uint64_t drains;
static uint32_t left;

static void before(void) {
    world_begin();
#if LINN_SCENARIO_SMALL
    linn_scenario_prepare(0, world_visit);
    linn_scenario_prepare(1, world_register);
#endif
    drains = world_counters().drains;
    left = 0;
}

static void ending(void) {
    world_life(world_visit, false);
}

static void thief(void) {
    left = linn_cache_drain_all(core);
}

enum { DRAINED, ENDED };

static void after(void) {
    struct linn_counters c = world_counters();
    linn_scenario_saw(c.drains != drains ? DRAINED : ENDED);
    LINN_SCENARIO_CHECK(c.live_blocks == 0);
    /* Whoever had it, the thread's cache is gone.  (A thief that finds it revoked
     * and busy leaves it to the exit.) */
    LINN_SCENARIO_CHECK(c.cached_blocks == 0);
    LINN_SCENARIO_CHECK(linn_cache_adopt(LINN_THREADS_MAX) == 0);
    if (linn_scenario_round() % 256 == 0) world_end();
}

LINN_SCENARIO(thread_exit_drain,
              .labels =
                  "TC.C1 TC.B1 TC.E1 TC.R1 TC.T1 TC.C3 TC.F1 TC.O1 TC.H1 "
                  "MG.L1 MG.S1 TR.F1 TR.A1",
              .bound = "one thread, one block, which ends; one thief, once",
              .before = before, .thread = {ending, thief}, .after = after,
              /* Natively the thread is there for a moment only. */
              .outcome = {[DRAINED] = LINN_SCENARIO_SMALL
                                          ? "a cache was taken"
                                          : "?a cache was taken",
                          [ENDED] = "its thread gave it up"},
              .rounds = 3000);
