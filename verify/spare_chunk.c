/* Threads that find no room map a chunk each; whoever finds another's chunk after
 * that leaves its own as the arena's spare, or gives it back.  In turns, the spare
 * and the chunks of the round before are there or not.  No chunk is lost, and the
 * arena keeps no more than it needs and one. */

#include "verify/arena_world.h"

/* What the threads want, in groups, in three kinds of rounds. */
static const uint32_t wants[3][3] = {{1, 1, 1}, {4, 4, 4}, {1, 1, 4}};
enum { SHARE, ALL_WHOLE, ONE_WHOLE };

static void *block[3];
static long kind;

static void before(void) {
    world_begin();
    kind = linn_scenario_round() % 3;
}

static void take(int me) {
    block[me] = linn_arena_take_groups(&arena, wants[kind][me], true);
    if (block[me] != NULL) linn_scenario_touch((long *)block[me]);
}

static void thread0(void) {
    take(0);
}

static void thread1(void) {
    take(1);
}

static void thread2(void) {
    take(2);
}

enum { SPARE_KEPT, ALONE, NONE_LEFT };

static void after(void) {
    uint32_t placed = world_placed();
    for (int t = 0; t < 3; t++) {
        LINN_SCENARIO_CHECK(block[t] != NULL);
        for (int o = 0; o < t; o++)
            LINN_SCENARIO_CHECK(block[o] != block[t]);
    }
    LINN_SCENARIO_CHECK(linn_arena_is_valid_quiescent(&arena));
    LINN_SCENARIO_CHECK(linn_fixture_chunks(&core) ==
                        placed + (world_has_spare() ? 1 : 0));
    LINN_SCENARIO_CHECK(placed <= 3);
    if (kind == ALL_WHOLE) LINN_SCENARIO_CHECK(placed == 3);
    if (kind == ONE_WHOLE) LINN_SCENARIO_CHECK(placed >= 2);
    if (kind == SHARE && world_has_spare()) linn_scenario_saw(SPARE_KEPT);
    if (kind == SHARE && placed == 1) linn_scenario_saw(ALONE);
    if (kind == ALL_WHOLE && !world_has_spare()) linn_scenario_saw(NONE_LEFT);
    for (int t = 0; t < 3; t++) {
        LINN_SCENARIO_CHECK(
            linn_arena_give_groups(linn_chunk_of(block[t]), block[t]));
    }
    if (kind != SHARE) world_release();
}

LINN_SCENARIO(spare_chunk,
              .labels = "AR.S1 AR.S2 AR.L1 AR.H2 CH.B1 CS.N1 CS.C1",
              .bound = "3 threads, one run each, of a quarter or a whole chunk",
              .before = before, .thread = {thread0, thread1, thread2},
              .after = after,
              .outcome = {[SPARE_KEPT] = "?a spare was kept",
                          [ALONE] = "one chunk served all",
                          [NONE_LEFT] = "the spare was used"},
              .rounds = 20000);
