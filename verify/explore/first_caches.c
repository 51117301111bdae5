/* Two threads allocate for the first time: records, bodies, a chunk and its entries
 * in the page map are made meanwhile, by one for both or by each for itself; the
 * second frees what the first hands over. */

#include "verify/cache_world.h"

static void *handed;
static sync_ptr hand;

static void before(void) {
    world_begin();
}

static void thread0(void) {
    handed = linn_alloc(pool, WORLD_BYTES);
    LINN_SCENARIO_CHECK(handed != NULL);
    linn_scenario_touch((long *)handed);
    /* The program's own hand-over, with release. */
    sync_ptr_store_release(&hand, handed);
}

static void thread1(void) {
    world_visit();
    void *p = sync_ptr_load_acquire(&hand);
    if (p != NULL) linn_free(p);
}

enum { FREED, NOT_YET };

static void after(void) {
    struct linn_counters c = world_counters();
    bool freed = c.live_blocks == 0;
    linn_scenario_saw(freed ? FREED : NOT_YET);
    LINN_SCENARIO_CHECK(c.thread_caches == 2);
    if (!freed) linn_free(handed);
    world_register();
    world_end();
}

LINN_SCENARIO(first_caches,
              .labels =
                  "CB.N1 CB.H1 TC.O1 TC.H1 PM.L1 PM.L2 PM.V1 PM.V2 PM.F1 "
                  "PM.F2 PM.U1 PM.U2 CS.H1 CS.N1 TR.M1 TR.M2 TR.A1 PC.H1 "
                  "RC.R1 CH.B1 CH.H1 TS.O1 TS.P1",
              .bound = "two threads with nothing yet; one block handed over",
              .before = before, .thread = {thread0, thread1}, .after = after,
              .outcome = {[FREED] = "freed by the other thread",
                          [NOT_YET] = "not handed over in time"},
              .rounds = 1);
