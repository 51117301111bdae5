/* A thread dies with a cache; two others take over what the dead left, at the same
 * time: one of them does, once, and the blocks come back. */

#include "verify/cache_world.h"

static uint32_t found[2];
static uint64_t drains;

static void before(void) {
    world_begin();
#if LINN_SCENARIO_SMALL
    linn_scenario_prepare(0, world_visit);
    linn_scenario_prepare(1, world_register);
    linn_scenario_prepare(2, world_register);
#endif
    drains = world_counters().drains;
    found[0] = found[1] = 0;
}

static void dying(void) {
    world_life(world_visit, true);
}

static void adopter0(void) {
    found[0] = linn_cache_adopt(LINN_THREADS_MAX);
}

static void adopter1(void) {
    found[1] = linn_cache_adopt(LINN_THREADS_MAX);
}

enum { BY_THE_FIRST, BY_THE_SECOND, TOO_EARLY };

static void after(void) {
    if (found[0] > 0) linn_scenario_saw(BY_THE_FIRST);
    if (found[1] > 0) linn_scenario_saw(BY_THE_SECOND);
    if (found[0] + found[1] == 0) linn_scenario_saw(TOO_EARLY);
    LINN_SCENARIO_CHECK(found[0] + found[1] <= 1);
    /* Registering looks at two records already, and tells nobody. */
    world_register();
    (void)linn_cache_adopt(LINN_THREADS_MAX);
    struct linn_counters c = world_counters();
    LINN_SCENARIO_CHECK(c.drains - drains == 1);
    LINN_SCENARIO_CHECK(c.live_blocks == 0);
    LINN_SCENARIO_CHECK(c.cached_blocks == 0);
    if (linn_scenario_round() % 256 == 0) world_end();
}

LINN_SCENARIO(two_adopters,
              .labels = "TC.C3 TC.F1 TC.H1 MG.L1 TR.D1 TR.E1 TR.L1",
              .bound = "one dead thread with a block; two adopters, once",
              .before = before, .thread = {dying, adopter0, adopter1},
              .after = after,
              .outcome = {[BY_THE_FIRST] = "?adopted by the first",
                          [BY_THE_SECOND] = "?adopted by the second",
                          [TOO_EARLY] = "?after both had looked"},
              .rounds = 3000);
