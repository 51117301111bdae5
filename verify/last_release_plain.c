/* A buffer that is not published, held by two threads: whoever is the last releases
 * it with a plain store, after a load that saw only its own reference, and owns the
 * bytes that both wrote before their release. */

#include "alloc/buf_count.h"
#include "verify/scenario.h"

static struct linn_refs_word count;
static uint64_t name;
static long payload[2];
static int lasts[2];
static bool sole[2];

static void before(void) {
    if (linn_scenario_round() % 1000 == 0) linn_refs_born(&count, 1);
    name = linn_refs_begin(&count);
    LINN_SCENARIO_CHECK(linn_refs_retain(&count, name, 1) == LINN_COUNTED);
    for (int t = 0; t < 2; t++) {
        payload[t] = 0;
        lasts[t] = 0;
        sole[t] = false;
    }
}

static void use(int me) {
    linn_scenario_touch(&payload[me]);
    LINN_SCENARIO_CHECK(linn_refs_retain(&count, name, 2) == LINN_COUNTED);
    LINN_SCENARIO_CHECK(linn_refs_release(&count, name, 2) == LINN_COUNTED);
    sole[me] = linn_refs_is_sole(&count, name);
    /* A sole owner may use what the others used. */
    if (sole[me]) linn_scenario_touch(&payload[1 - me]);
    enum linn_counted r = linn_refs_release(&count, name, 1);
    LINN_SCENARIO_CHECK(r == LINN_COUNTED || r == LINN_COUNTED_LAST);
    LINN_SCENARIO_CHECK(!sole[me] || r == LINN_COUNTED_LAST);
    if (r != LINN_COUNTED_LAST) return;
    lasts[me]++;
    linn_scenario_touch(&payload[0]);
    linn_scenario_touch(&payload[1]);
}

static void thread0(void) {
    use(0);
}

static void thread1(void) {
    use(1);
}

enum { FIRST, SECOND, SOLE };

static void after(void) {
    LINN_SCENARIO_CHECK(lasts[0] + lasts[1] == 1);
    int extra = sole[0] || sole[1];
    LINN_SCENARIO_CHECK(payload[0] + payload[1] == 4 + extra);
    LINN_SCENARIO_CHECK(!linn_refs_is_live(&count, name));
    linn_scenario_saw(lasts[0] ? FIRST : SECOND);
    if (extra) linn_scenario_saw(SOLE);
}

LINN_SCENARIO(last_release_plain,
              .labels = "BF.N1 BF.G1 BF.R1 BF.H1 BF.R2 BF.L1 BF.S1",
              .bound = "one life, two holders", .before = before,
              .thread = {thread0, thread1}, .after = after,
              .outcome = {[FIRST] = "the first thread was the last",
                          [SECOND] = "the second was",
                          [SOLE] = "the last knew that it was alone"},
              .rounds = 200000);
