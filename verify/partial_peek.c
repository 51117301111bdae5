/* A thread reserves in the subpage at the top of a partial stack without taking it
 * off, while others pop and retire that subpage, and the same descriptor is born
 * again in another class.  What the thread saw must not let it into the new life
 * (SP.A1 compares generation and class, the top's tag the time it was seen). */

#include "verify/arena_world.h"

#define SMALL 2048
#define LARGE 4096

static uint32_t small, large;
static bool served[3];
static uint64_t died;

/* One element, written and given back. */
static bool visit(uint32_t c, bool grow) {
    void *block;
    if (linn_arena_take(&arena, c, 1, grow, &block) == 0) return false;
    linn_scenario_touch((long *)block);
    uint32_t given = linn_arena_give(&core, c, &block, 1, "scenario");
    LINN_SCENARIO_CHECK(given == 1);
    return true;
}

static void before(void) {
    world_begin();
    small = linn_class_of(&core.geometry, SMALL);
    large = linn_class_of(&core.geometry, LARGE);
    LINN_SCENARIO_CHECK(visit(small, true)); /* one is listed, wholly free */
    died = linn_tally_read(&core.tally, LINN_TALLY_SUBPAGES_DIED);
}

static void thread0(void) {
    (void)visit(small, false);
}

static void thread1(void) {
    (void)linn_arena_collect(&arena, UINT32_MAX);
    served[1] = visit(large, true);
}

static void thread2(void) {
    served[2] = visit(small, true);
}

static void thread3(void) {
    (void)linn_arena_collect(&arena, UINT32_MAX);
}

enum { RETIRED, KEPT };

static void after(void) {
    LINN_SCENARIO_CHECK(served[1] && served[2]);
    LINN_SCENARIO_CHECK(linn_arena_is_valid_quiescent(&arena));
    uint64_t now = linn_tally_read(&core.tally, LINN_TALLY_SUBPAGES_DIED);
    linn_scenario_saw(now != died ? RETIRED : KEPT);
    /* All are free, so two calls find every one of them. */
    (void)linn_arena_collect(&arena, UINT32_MAX);
    (void)linn_arena_collect(&arena, UINT32_MAX);
    LINN_SCENARIO_CHECK(linn_fixture_subpages(&core) == 0);
    if (linn_scenario_round() % 1024 == 0) world_release();
}

LINN_SCENARIO(partial_peek,
              .labels =
                  "SP.H1 SP.A1 SP.A2 SP.F1 SP.F2 SP.L1 SP.R1 SP.N1 TS.T1 "
                  "TS.T2 TS.P1 TS.O1",
              .bound = "two classes; three visits, two collections",
              .before = before, .thread = {thread0, thread1, thread2, thread3},
              .after = after,
              .outcome = {[RETIRED] = "a subpage was retired meanwhile",
                          [KEPT] = "?none was retired"},
              .rounds = 60000);
