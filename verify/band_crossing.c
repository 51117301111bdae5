/* Three threads take and give groups of one chunk, each of which moves it across
 * thresholds, while a fourth releases the chunk if it is empty, so that another is
 * born at the same place.  When all are done every living chunk has the hint of its
 * band (A2): a request that may not grow finds it. */

#include "verify/arena_world.h"

static bool served[3];
static uint32_t released;
static uint64_t births;

static void before(void) {
    world_begin();
    (void)world_visit(1, true); /* there is a chunk, in qInit or q000 */
    births = linn_tally_read(&core.tally, LINN_TALLY_CHUNKS_BORN);
}

static void thread0(void) {
    served[0] = world_visit(1, true);
}

static void thread1(void) {
    served[1] = world_visit(2, false);
}

static void thread2(void) {
    served[2] = world_visit(2, false);
}

static void thread3(void) {
    released = linn_arena_release_empty(&arena);
}

enum { RELEASED, REBORN, REFUSED, ALL_SERVED };

static void after(void) {
    LINN_SCENARIO_CHECK(served[0]);
    LINN_SCENARIO_CHECK(linn_arena_is_valid_quiescent(&arena));
    LINN_SCENARIO_CHECK(linn_fixture_chunks(&core) ==
                        world_placed() + (world_has_spare() ? 1 : 0));
    if (world_placed() > 0) LINN_SCENARIO_CHECK(world_visit(4, false));
    bool again = linn_tally_read(&core.tally, LINN_TALLY_CHUNKS_BORN) != births;
    if (released > 0) linn_scenario_saw(RELEASED);
    if (again) linn_scenario_saw(REBORN);
    linn_scenario_saw(served[1] && served[2] ? ALL_SERVED : REFUSED);
    if (linn_scenario_round() % 64 == 0) world_release();
}

LINN_SCENARIO(band_crossing,
              .labels =
                  "AR.H2 AR.H3 AR.H4 AR.L1 AR.L2 AR.L3 AR.L4 CH.R1 CH.F1 "
                  "CH.D1 CH.B1 PT.C1 PT.F1",
              .bound = "4 groups; runs of 1, 2 and 2 groups; one release",
              .before = before, .thread = {thread0, thread1, thread2, thread3},
              .after = after,
              .outcome = {[RELEASED] = "an empty chunk was released",
                          [REBORN] = "a chunk was born in its place",
                          [REFUSED] = "one that may not grow found none",
                          [ALL_SERVED] = "all served"},
              .rounds = 40000);
