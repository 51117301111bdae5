/* The sole owner of a buffer writes its bytes, publishes it, and releases it at once;
 * two other threads find its handle in shared state all the while.  Who ends the
 * life, owner or finder, writes the bytes with plain accesses, as the pool would;
 * who finds it reads them. */

#include "alloc/buf_count.h"
#include "verify/scenario.h"

/* Threads seldom meet on two processors, so natively they stay for a while; with
 * random yields (LINN_CHAOS) they meet in the few steps that matter. */
#if LINN_SCENARIO_SMALL
enum { TRIES = 1, HELD_BY_OWNER = 0, HELD_BY_FINDER = 0 };
#elif LINN_CHAOS
enum { TRIES = 1, HELD_BY_OWNER = 0, HELD_BY_FINDER = 1 };
#else
enum { TRIES = 1000, HELD_BY_OWNER = 100, HELD_BY_FINDER = 150 };
#endif

static struct linn_refs_word count;
static uint64_t name;
static long payload;
static enum linn_counted found[3];
static int lasts[3];

static void before(void) {
    if (linn_scenario_round() % 1000 == 0) linn_refs_born(&count, 1);
    name = linn_refs_begin(&count);
    payload = 0;
    for (int t = 0; t < 3; t++) {
        found[t] = LINN_COUNTED_DEAD;
        lasts[t] = 0;
    }
}

static void release(int me) {
    enum linn_counted r = linn_refs_release(&count, name, 1);
    LINN_SCENARIO_CHECK(r == LINN_COUNTED || r == LINN_COUNTED_LAST);
    if (r != LINN_COUNTED_LAST) return;
    lasts[me]++;
    linn_scenario_touch(&payload); /* the memory is ours */
}

static void hold(int times) {
    for (int i = 0; i < times; i++) {
        LINN_SCENARIO_CHECK(linn_refs_retain(&count, name, 1) == LINN_COUNTED);
        LINN_SCENARIO_CHECK(linn_refs_release(&count, name, 1) == LINN_COUNTED);
    }
}

static void thread0(void) {
    linn_scenario_touch(&payload);
    LINN_SCENARIO_CHECK(linn_refs_publish(&count, name) == LINN_COUNTED);
    hold(HELD_BY_OWNER);
    release(0);
}

/* Holds nothing: what it finds, it finds with the bytes. */
static void find(int me) {
    for (int i = 0; i < TRIES; i++) {
        found[me] = linn_refs_try_retain(&count, name);
        if (found[me] != LINN_COUNTED_UNPUBLISHED) break;
    }
    if (found[me] != LINN_COUNTED) return;
    LINN_SCENARIO_CHECK(payload == 1);
    hold(HELD_BY_FINDER);
    release(me);
}

static void thread1(void) {
    find(1);
}

static void thread2(void) {
    find(2);
}

enum { FOUND, TOO_EARLY, TOO_LATE, LAST_OWNER, LAST_FINDER };

static void after(void) {
    LINN_SCENARIO_CHECK(lasts[0] + lasts[1] + lasts[2] == 1);
    LINN_SCENARIO_CHECK(payload == 2);
    LINN_SCENARIO_CHECK(!linn_refs_is_live(&count, name));
    LINN_SCENARIO_CHECK(linn_refs_try_retain(&count, name) ==
                        LINN_COUNTED_DEAD);
    for (int t = 1; t < 3; t++) {
        if (found[t] == LINN_COUNTED) linn_scenario_saw(FOUND);
        if (found[t] == LINN_COUNTED_UNPUBLISHED) linn_scenario_saw(TOO_EARLY);
        if (found[t] == LINN_COUNTED_DEAD) linn_scenario_saw(TOO_LATE);
    }
    linn_scenario_saw(lasts[0] ? LAST_OWNER : LAST_FINDER);
}

LINN_SCENARIO(last_release_try_retain,
              .labels = "BF.B1 BF.N1 BF.G1 BF.P1 BF.R1 BF.H1 BF.R2 BF.T1 BF.T2",
              .bound = "one life, one owner, two finders", .before = before,
              .thread = {thread0, thread1, thread2}, .after = after,
              .outcome = {[FOUND] = "?found alive",
                          [TOO_EARLY] = "looked for too early",
                          [TOO_LATE] = "looked for too late",
                          [LAST_OWNER] = "the owner was the last",
                          [LAST_FINDER] = "?a finder was the last"},
              .rounds = 200000);
