/* A reader, with a section inside its section, uses what is published; a maintainer
 * publishes something else, and takes the old one down when a grace period is over.
 * A third thread reads once in a section and dies there, or does not; its adopter closes it. */

#include "sync/reclaim.h"
#include "verify/scenario.h"

static sync_ptr slot;
static long things[2];
static struct linn_thread *reader, *mortal;
static bool over;

static void begin_reader(void) {
    reader = linn_thread_register();
}

static void begin_mortal(void) {
    mortal = linn_thread_register();
}

static void begin_other(void) {
    (void)linn_thread_register();
}

static void before(void) {
    linn_thread_registry_init(sizeof(long));
    linn_scenario_prepare(0, begin_reader);
    linn_scenario_prepare(1, begin_mortal);
    linn_scenario_prepare(2, begin_other);
    linn_scenario_prepare(3, begin_other);
    things[0] = 1;
    linn_reclaim_publish(&slot, &things[0]);
}

static void look(struct linn_thread *t) {
    const long *thing = (const long *)linn_reclaim_read(&slot);
    long n = *thing;
    LINN_SCENARIO_CHECK(n == 1 || n == 2);
    (void)t;
}

static void thread0(void) {
    linn_reclaim_enter(reader);
    look(reader);
    linn_reclaim_enter(reader);
    look(reader);
    linn_reclaim_leave(reader);
    look(reader);
    linn_reclaim_leave(reader);
    linn_reclaim_enter(reader);
    look(reader);
    linn_reclaim_enter(reader);
    linn_reclaim_leave(reader);
    linn_reclaim_leave(reader);
}

static void thread1(void) {
    linn_reclaim_enter(mortal);
    look(mortal);
    linn_scenario_dies();
}

static void thread2(void) {
    struct linn_grace g;
    things[1] = 2;
    linn_reclaim_publish(&slot, &things[1]);
    linn_grace_start(&g);
    over = linn_grace_poll(&g);
    if (over) things[0] = -1;
}

static void thread3(void) {
    if (linn_thread_adopt_begin(mortal)) linn_thread_adopt_end(mortal);
}

enum { OVER, NOT_YET };

static void after(void) {
    linn_scenario_saw(over ? OVER : NOT_YET);
}

LINN_SCENARIO(grace_period,
              .labels =
                  "RC.H1 RC.G1 RC.E1 RC.E3 RC.L1 RC.C1 RC.P2 RC.W1 RC.R1 "
                  "TR.D1",
              .bound = "a reader, a reader that dies, one grace period",
              .before = before, .thread = {thread0, thread1, thread2, thread3},
              .after = after,
              .outcome = {[OVER] = "the period was over at the first look",
                          [NOT_YET] = "it was not"},
              .rounds = 1);
