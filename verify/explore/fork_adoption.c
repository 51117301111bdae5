/* As in a forked child: the records are of an earlier process.  The survivor moves
 * its payload and opens adoption; one adopter dies with the old record seized, and
 * another takes over what it had. */

#include "sync/thread_registry.h"
#include "verify/scenario.h"

static struct linn_thread *old, *adopter;
static long seized, ended, ended_late, reused;

static long *payload(struct linn_thread *t) {
    return (long *)linn_thread_payload(t);
}

static void begin_old(void) {
    old = linn_thread_register();
    *payload(old) = 5;
}

static void begin_adopter(void) {
    adopter = linn_thread_register();
}

static void begin_other(void) {
    (void)linn_thread_register();
}

static void before(void) {
    linn_thread_registry_init(sizeof(long));
    linn_scenario_prepare(0, begin_old);
    /* A new process generation, as the wiped page makes it. */
    linn_process_generation_without_wipe();
    linn_scenario_prepare(1, begin_adopter);
    linn_scenario_prepare(2, begin_other);
    LINN_SCENARIO_CHECK(linn_thread_is_stale(old));
}

static void thread0(void) {
    struct linn_thread *t = linn_thread_reregister(old);
    LINN_SCENARIO_CHECK(t != NULL && t != old);
    *payload(t) = *payload(old);
    *payload(old) = 0;
    linn_thread_open_adoption();
}

static void thread1(void) {
    if (!linn_thread_adopt_begin(old)) return;
    linn_scenario_touch(payload(old));
    seized = 1;
    linn_scenario_dies();
}

static void thread2(void) {
    if (linn_thread_adopt_begin(adopter)) linn_thread_adopt_end(adopter);
    if (!linn_thread_adopt_begin(old)) return;
    linn_scenario_touch(payload(old));
    linn_thread_adopt_end(old);
    ended = 1;
    /* The record can be had again, with a mutex that works. */
    struct linn_thread *own = linn_thread_own();
    linn_thread_unregister(own);
}

/* May get the old record, or adopt it. */
static void thread3(void) {
    struct linn_thread *t = linn_thread_register();
    LINN_SCENARIO_CHECK(t != NULL);
    linn_scenario_touch(payload(t));
    reused = t == old;
    if (!linn_thread_adopt_begin(old)) return;
    linn_scenario_touch(payload(old));
    linn_thread_adopt_end(old);
    ended_late = 1;
}

enum { TAKEN_OVER, SEIZED, ENDED, NONE };

static void after(void) {
    linn_scenario_saw(seized && ended ? TAKEN_OVER
                      : seized        ? SEIZED
                      : ended         ? ENDED
                                      : NONE);
    LINN_SCENARIO_CHECK(!ended || !ended_late);
    LINN_SCENARIO_CHECK(*payload(old) == seized + ended + ended_late + reused);
    /* What nobody ended can be ended now, by who has a record; what was ended can be
     * had. */
    struct linn_thread *t = linn_thread_register();
    LINN_SCENARIO_CHECK(t != NULL);
    if (!ended && !ended_late) {
        if (linn_thread_adopt_begin(adopter)) linn_thread_adopt_end(adopter);
        LINN_SCENARIO_CHECK(linn_thread_adopt_begin(old));
        linn_thread_adopt_end(old);
    } else if (!reused) {
        LINN_SCENARIO_CHECK(t == old);
    }
}

LINN_SCENARIO(
    fork_adoption, .labels = "TR.V1 TR.V2 TR.S1 TR.O2 TR.E1 TR.L1 TR.A1 TR.F1",
    .bound = "a survivor, an adopter that dies, one that goes on, a newcomer",
    .before = before, .thread = {thread0, thread1, thread2, thread3},
    .after = after,
    .outcome = {[TAKEN_OVER] = "the dead adopter's was taken over",
                [SEIZED] = "it was not",
                [ENDED] = "the other had it",
                [NONE] = "too early"},
    .rounds = 1);
