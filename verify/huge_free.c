/* A huge block is freed twice at once: one call does it, the other changes nothing
 * (H1).  A third thread frees another block, and a fourth asks the map about the
 * first one, whose addresses may be gone by then: it touches nothing there.
 *
 * No block is born meanwhile.  If one takes the slot while a second free of the old
 * block looks at it, that free reads fields that are being written; CH.D2 refuses
 * it all the same, and ThreadSanitizer would speak of a race: of the misuse. */

#include "alloc/huge.h"
#include "alloc/page_map.h"
#include "alloc/page_source.h"
#include "verify/scenario.h"

static struct linn_pool_core core;
static void *block, *other;
static bool freed[3], known;

static void before(void) {
    core.id = 201;
    linn_scenario_statistic(&core.tally, sizeof core.tally);
    linn_scenario_statistic(&linn_page_source_state.calls,
                            sizeof linn_page_source_state.calls);
    linn_page_map_init();
    block = linn_huge_take(&core, 3 * LINN_GRANULE_BYTES, 0);
    other = linn_huge_take(&core, 100, 2 * LINN_GRANULE_BYTES);
    LINN_SCENARIO_CHECK(block != NULL && other != NULL);
    linn_scenario_touch((long *)block);
}

static void thread0(void) {
    freed[0] = linn_huge_give(block);
}

static void thread1(void) {
    freed[1] = linn_huge_give(block);
}

static void thread2(void) {
    linn_scenario_touch((long *)other);
    freed[2] = linn_huge_give(other);
}

static void thread3(void) {
    uint32_t entry = linn_page_map_get(block);
    known = entry != 0;
    LINN_SCENARIO_CHECK(!known ||
                        entry == linn_map_entry(&core, LINN_MAP_HUGE));
}

enum { FIRST, SECOND, LOOKED_BEFORE, LOOKED_AFTER };

static void after(void) {
    LINN_SCENARIO_CHECK(freed[0] != freed[1]);
    LINN_SCENARIO_CHECK(freed[2]);
    LINN_SCENARIO_CHECK(!linn_huge_give(block) && !linn_huge_give(other));
    LINN_SCENARIO_CHECK(linn_page_map_get(block) == 0);
    LINN_SCENARIO_CHECK(linn_chunk_of(block) == NULL);
    LINN_SCENARIO_CHECK(linn_tally_read(&core.tally, LINN_TALLY_HUGE_BORN) ==
                        linn_tally_read(&core.tally, LINN_TALLY_HUGE_DIED));
    LINN_SCENARIO_CHECK(
        linn_tally_read(&core.tally, LINN_TALLY_HELD_BYTES_TAKEN) ==
        linn_tally_read(&core.tally, LINN_TALLY_HELD_BYTES_GIVEN));
    linn_scenario_saw(freed[0] ? FIRST : SECOND);
    linn_scenario_saw(known ? LOOKED_BEFORE : LOOKED_AFTER);
}

LINN_SCENARIO(huge_free, .labels = "CH.H1 CH.B2 CH.D2 PM.E1 PM.E2 PM.S1 PM.S2",
              .bound = "one block freed twice, one once, one look-up",
              .before = before, .thread = {thread0, thread1, thread2, thread3},
              .after = after,
              .outcome = {[FIRST] = "the first thread freed it",
                          [SECOND] = "the second did",
                          [LOOKED_BEFORE] = "the look-up came before",
                          [LOOKED_AFTER] = "the look-up came after"},
              .rounds = 20000);
