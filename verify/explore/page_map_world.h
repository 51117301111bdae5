#ifndef LINN_VERIFY_EXPLORE_PAGE_MAP_WORLD_H_
#define LINN_VERIFY_EXPLORE_PAGE_MAP_WORLD_H_

/* Two threads add regions and their entries, the second looks the first one's up if
 * it was handed over (relaxed: the map has orders of its own), and a third looks up
 * what nobody ever added. */

#include "alloc/page_map.h"
#include "verify/scenario.h"

#define REGION(n) ((char *)((uintptr_t)(100 + (n)) << LINN_GRANULE_SHIFT))

static sync_u32 handed;
static uint32_t found[2];

static inline void add(uint32_t n) {
    LINN_SCENARIO_CHECK(linn_page_map_add(REGION(n), LINN_GRANULE_BYTES, n));
    linn_page_map_set(REGION(n), 4096, 7 + n);
}

static inline uint32_t look(uint32_t n) {
    uintptr_t p = (uintptr_t)REGION(n);
    return linn_page_map_is_flat(p) ? (uint32_t)linn_page_map_get_flat(p)
                                    : linn_page_map_get(REGION(n));
}

static void thread0(void) {
    add(0);
    sync_u32_store_release(&handed, 1);
}

static void thread1(void) {
    add(1);
    LINN_SCENARIO_CHECK(look(1) == 8);
    LINN_SCENARIO_CHECK(linn_page_map_slot(REGION(1)) == 1);
    if (sync_u32_load_acquire(&handed) == 0) return;
    found[0] = look(0);
    LINN_SCENARIO_CHECK(found[0] == 7);
}

/* Any address may be asked for, at any time. */
static void thread2(void) {
    (void)linn_page_map_slot(REGION(0));
    found[1] = look(0);
    LINN_SCENARIO_CHECK(found[1] == 0 || found[1] == 7);
    LINN_SCENARIO_CHECK(look(2) == 0);
}

enum { HANDED, SEEN, NOT_SEEN };

static void after(void) {
    if (found[0] != 0) linn_scenario_saw(HANDED);
    linn_scenario_saw(found[1] != 0 ? SEEN : NOT_SEEN);
}

#define OUTCOMES                         \
    {[HANDED] = "handed over",           \
     [SEEN] = "seen by who asked early", \
     [NOT_SEEN] = "not seen yet"}

#endif /* LINN_VERIFY_EXPLORE_PAGE_MAP_WORLD_H_ */
