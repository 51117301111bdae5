/* A thread dies; its adopter dies too, midway; a third thread takes over what both
 * had, and a newcomer may get a record of theirs. */

#include "sync/thread_registry.h"
#include "verify/scenario.h"

static struct linn_thread *dead, *adopter;
static long adopted, ended;

static void begin_dead(void) {
    dead = linn_thread_register();
}

static void begin_adopter(void) {
    adopter = linn_thread_register();
}

static void begin_other(void) {
    (void)linn_thread_register();
}

static void before(void) {
    linn_thread_registry_init(sizeof(long));
    linn_scenario_prepare(0, begin_dead);
    linn_scenario_prepare(1, begin_adopter);
    linn_scenario_prepare(2, begin_other);
}

static void thread0(void) {
    linn_scenario_touch((long *)linn_thread_payload(dead));
    linn_scenario_dies();
}

static void thread1(void) {
    if (linn_thread_adopt_begin(dead)) {
        linn_scenario_touch((long *)linn_thread_payload(dead));
        adopted = 1;
    }
    linn_scenario_dies();
}

static void thread2(void) {
    if (linn_thread_adopt_begin(adopter)) linn_thread_adopt_end(adopter);
    if (!linn_thread_adopt_begin(dead)) return;
    linn_scenario_touch((long *)linn_thread_payload(dead));
    linn_thread_adopt_end(dead);
    ended = 1;
}

enum { BOTH, FIRST, SECOND, NEITHER };

static void after(void) {
    linn_scenario_saw(adopted && ended ? BOTH
                      : adopted        ? FIRST
                      : ended          ? SECOND
                                       : NEITHER);
    LINN_SCENARIO_CHECK(*(long *)linn_thread_payload(dead) ==
                        1 + adopted + ended);
    if (ended) return;
    LINN_SCENARIO_CHECK(linn_thread_adopt_begin(dead));
    linn_thread_adopt_end(dead);
}

LINN_SCENARIO(adopter_dies, .labels = "TR.D1 TR.E1 TR.L1",
              .bound = "a dead thread, a dying adopter, one that goes on",
              .before = before, .thread = {thread0, thread1, thread2},
              .after = after,
              .outcome = {[BOTH] = "one died at it, the other went on",
                          [FIRST] = "one died at it",
                          [SECOND] = "the other had it",
                          [NEITHER] = "neither"},
              .rounds = 1);
