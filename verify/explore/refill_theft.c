/* An owner whose cache is empty refills it, while a thief takes it if its owner is
 * outside: what the slow path did in the magazines must be behind the thief. */

#include "verify/cache_world.h"

static uint64_t drains;

static void begin(void) {
    world_visit();
    (void)linn_thread_flush();
}

static void before(void) {
    world_begin();
    linn_scenario_prepare(0, begin);
    linn_scenario_prepare(1, world_register);
    drains = world_counters().drains;
}

static void thread0(void) {
    world_visit();
}

static void thread1(void) {
    (void)linn_cache_drain_all(core);
}

enum { DRAINED, LEFT };

static void after(void) {
    struct linn_counters c = world_counters();
    linn_scenario_saw(c.drains != drains ? DRAINED : LEFT);
    LINN_SCENARIO_CHECK(c.live_blocks == 0);
    world_end();
}

LINN_SCENARIO(refill_theft, .labels = "TC.E1 TC.T1",
              .bound = "one owner, one refill; one thief, once",
              .before = before, .thread = {thread0, thread1}, .after = after,
              .outcome = {[DRAINED] = "a cache was taken",
                          [LEFT] = "an owner inside was left alone"},
              .rounds = 1);
