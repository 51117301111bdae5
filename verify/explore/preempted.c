/* Planted: its check fails, and only if thread 0 is preempted by thread 1, and that
 * one by thread 0 again.  For the test of --preemptions. */

#include "sync/atomic.h"
#include "verify/scenario.h"

static sync_u32 x, y, z;

static void before(void) {}

static void thread0(void) {
    sync_u32_store_release(&x, 1);
    if (sync_u32_load_acquire(&y) == 1) sync_u32_store_release(&z, 1);
}

static void thread1(void) {
    if (sync_u32_load_acquire(&x) == 0) return;
    sync_u32_store_release(&y, 1);
    LINN_SCENARIO_CHECK(sync_u32_load_acquire(&z) == 0);
}

static void after(void) {}

LINN_SCENARIO(preempted, .labels = "", .bound = "two preemptions",
              .before = before, .thread = {thread0, thread1}, .after = after,
              .rounds = 1);
