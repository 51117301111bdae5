/* A published buffer in a shared cell: its holder gives up the last reference while
 * another thread finds it, and a third retains and releases by a reference of its
 * own.  Who ends the life writes the bytes with plain accesses, as the pool would;
 * so does who found it and then releases it last. */

#include "alloc/buf_count.h"
#include "verify/scenario.h"

static struct linn_count_word count;
static uint64_t name;
static long payload;
static bool found;
static int lasts[3];

static void before(void) {
    if (linn_scenario_round() % 1000 == 0) linn_count_born(&count, 1);
    name = linn_count_begin(&count);
    payload = 0;
    linn_scenario_touch(&payload);
    LINN_SCENARIO_CHECK(linn_count_publish(&count, name) == LINN_COUNTED);
    LINN_SCENARIO_CHECK(linn_count_retain(&count, name, 1) == LINN_COUNTED);
    found = false;
    lasts[0] = lasts[1] = lasts[2] = 0;
}

static void release(int me) {
    enum linn_counted r = linn_count_release(&count, name, 1);
    LINN_SCENARIO_CHECK(r == LINN_COUNTED || r == LINN_COUNTED_LAST);
    if (r != LINN_COUNTED_LAST) return;
    lasts[me]++;
    linn_scenario_touch(&payload); /* the memory is ours */
}

static void thread0(void) {
    release(0);
}

/* Holds nothing: what it finds, it finds with the bytes of before. */
static void thread1(void) {
    enum linn_counted r = linn_count_try_retain(&count, name);
    LINN_SCENARIO_CHECK(r == LINN_COUNTED || r == LINN_COUNTED_DEAD);
    if (r != LINN_COUNTED) return;
    found = true;
    LINN_SCENARIO_CHECK(payload == 1);
    release(1);
}

static void thread2(void) {
#if !LINN_SCENARIO_SMALL
    LINN_SCENARIO_CHECK(linn_count_retain(&count, name, 1) == LINN_COUNTED);
    release(2);
#endif
    release(2);
}

enum { FOUND, TOO_LATE, LAST_HOLDER, LAST_FINDER };

static void after(void) {
    LINN_SCENARIO_CHECK(lasts[0] + lasts[1] + lasts[2] == 1);
    LINN_SCENARIO_CHECK(payload == 2);
    LINN_SCENARIO_CHECK(!linn_count_is_live(&count, name));
    LINN_SCENARIO_CHECK(linn_count_try_retain(&count, name) ==
                        LINN_COUNTED_DEAD);
    linn_scenario_saw(found ? FOUND : TOO_LATE);
    linn_scenario_saw(lasts[1] ? LAST_FINDER : LAST_HOLDER);
}

LINN_SCENARIO(last_release_try_retain,
              .labels = "BF.B1 BF.N1 BF.G1 BF.P1 BF.R1 BF.H1 BF.R2 BF.T1 BF.T2",
              .bound = "one life, two holders, one finder", .before = before,
              .thread = {thread0, thread1, thread2}, .after = after,
              .outcome = {[FOUND] = "found alive",
                          [TOO_LATE] = "looked for too late",
                          [LAST_HOLDER] = "a holder was the last",
                          [LAST_FINDER] = "the finder was the last"},
              .rounds = 200000);
