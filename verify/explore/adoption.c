/* A thread dies in a read section; one adopter gives up midway, or dies there, and
 * another goes on; a third thread registers and may get the record. */

#include "sync/reclaim.h"
#include "sync/thread_registry.h"
#include "verify/scenario.h"

static struct linn_thread *dead;
static long adopted, again;

static long *payload(struct linn_thread *t) {
    return (long *)linn_thread_payload(t);
}

static void begin(void) {
    dead = linn_thread_register();
}

static void begin_other(void) {
    (void)linn_thread_register();
}

static void before(void) {
    linn_thread_registry_init(sizeof(long));
    linn_scenario_prepare(0, begin);
    linn_scenario_prepare(1, begin_other);
    linn_scenario_prepare(2, begin_other);
}

static void thread0(void) {
    linn_reclaim_enter(dead);
    linn_scenario_touch(payload(dead));
    linn_scenario_dies();
}

static void thread1(void) {
    if (!linn_thread_adopt_begin(dead)) return;
    linn_scenario_touch(payload(dead));
    again = 1;
    linn_thread_adopt_abandon(dead);
}

static void thread2(void) {
    if (!linn_thread_adopt_begin(dead)) return;
    linn_scenario_touch(payload(dead));
    adopted = 1;
    linn_thread_adopt_end(dead);
}

/* Registers, perhaps as the dead one. */
static void thread3(void) {
    struct linn_thread *t = linn_thread_register();
    LINN_SCENARIO_CHECK(t != NULL);
    LINN_SCENARIO_CHECK(!linn_reclaim_is_inside(t));
    linn_scenario_touch(payload(t));
}

enum { BOTH, ONE, NONE };

static void after(void) {
    long n = *payload(dead);
    enum linn_thread_state state = linn_thread_state_hint(dead);
    linn_scenario_saw(again && adopted ? BOTH : again || adopted ? ONE : NONE);
    if (adopted) {
        LINN_SCENARIO_CHECK(state == LINN_THREAD_FREE ||
                            state == LINN_THREAD_LIVE);
    } else {
        LINN_SCENARIO_CHECK(state ==
                            (again ? LINN_THREAD_ORPHANED : LINN_THREAD_LIVE));
    }
    LINN_SCENARIO_CHECK(n == 1 + again + adopted +
                                 (adopted && state == LINN_THREAD_LIVE));
    /* What nobody ended can be ended now; what was ended can be had. */
    if (!adopted) {
        LINN_SCENARIO_CHECK(linn_thread_adopt_begin(dead));
        linn_thread_adopt_end(dead);
    }
    if (linn_thread_state_hint(dead) == LINN_THREAD_FREE) {
        LINN_SCENARIO_CHECK(linn_thread_register() == dead);
    }
}

LINN_SCENARIO(adoption,
              .labels = "TR.D1 TR.E1 TR.O1 TR.L1 TR.A1 RC.C1 TR.B3 TR.B4",
              .bound =
                  "one dead thread; one adopter that gives up, one that "
                  "ends it; a newcomer",
              .before = before, .thread = {thread0, thread1, thread2, thread3},
              .after = after,
              .outcome = {[BOTH] = "one gave up, the other went on",
                          [ONE] = "one adopted",
                          [NONE] = "none did"},
              .rounds = 1);
