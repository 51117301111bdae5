/* The page map in two levels: both regions are in one leaf. */

#include "verify/explore/page_map_world.h"

static void before(void) {
    linn_page_map_force_two_level();
}

LINN_SCENARIO(page_map_leaves, .labels = "PM.V1 PM.V2 PM.F2",
              .bound = "two regions, two threads that add, one that asks",
              .before = before, .thread = {thread0, thread1, thread2},
              .after = after, .outcome = OUTCOMES, .rounds = 1);
