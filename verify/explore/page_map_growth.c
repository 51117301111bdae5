/* The flat page map: the first to come decides the form. */

#include "verify/explore/page_map_world.h"

static void before(void) {
    handed = (sync_u32){0};
}

LINN_SCENARIO(page_map_growth, .labels = "PM.L1 PM.L2 PM.F1 PM.F2 PM.U1 PM.U2",
              .bound = "two regions, two threads that add, one that asks",
              .before = before, .thread = {thread0, thread1, thread2},
              .after = after, .outcome = OUTCOMES, .rounds = 1);
