/* One owner pops and pushes once in its cache, while a thief takes it if its owner is
 * outside: the smallest world in which revocation can go wrong. */

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

static void owner(void) {
    world_visit();
}

static void thief(void) {
    left = linn_cache_drain_all(core);
}

enum { DRAINED, LEFT };

static void after(void) {
    struct linn_counters c = world_counters();
    if (c.drains != drains) linn_scenario_saw(DRAINED);
    if (left > 0) linn_scenario_saw(LEFT);
    LINN_SCENARIO_CHECK(c.live_blocks == 0);
    if (linn_scenario_round() % 256 == 0) world_end();
}

LINN_SCENARIO(cache_theft,
              .labels =
                  "TC.C1 TC.B1 TC.E1 TC.R1 TC.T1 TC.C3 TC.F1 TC.O1 TC.H1 "
                  "TC.P1 TC.P2 MG.L1 MG.S1 PC.H1",
              .bound = "one owner, one block; one thief, once",
              .before = before, .thread = {owner, thief}, .after = after,
              .outcome = {[DRAINED] = "a cache was taken",
                          [LEFT] = "?an owner inside was left alone"},
              .rounds = 20000);
