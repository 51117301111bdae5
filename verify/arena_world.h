#ifndef LINN_VERIFY_ARENA_WORLD_H_
#define LINN_VERIFY_ARENA_WORLD_H_

/* One arena for a scenario: chunks of 4 groups of 4 KiB pages (1 MiB), so that a
 * group more or less crosses a threshold of the bands. */

#include "alloc/arena.h"
#include "alloc/arena_fixture.h"
#include "alloc/page_source.h"
#include "verify/scenario.h"

static struct linn_pool_core core;
static struct linn_arena arena;

static inline void world_begin(void) {
    if (core.arenas == NULL) linn_fixture_core(&core, &arena, 1, 4096, 8);
    linn_scenario_statistic(&core.tally, sizeof core.tally);
    linn_scenario_statistic(&linn_page_source_state.calls,
                            sizeof linn_page_source_state.calls);
}

/* Takes `groups` groups, writes their first word and gives them back.  False:
 * there were none. */
static inline bool world_visit(uint32_t groups, bool grow) {
    long *block = (long *)linn_arena_take_groups(&arena, groups, grow);
    if (block == NULL) return false;
    linn_scenario_touch(block);
    bool given = linn_arena_give_groups(linn_chunk_of(block), block);
    LINN_SCENARIO_CHECK(given);
    return true;
}

/* Chunks that a place names. */
static inline uint32_t world_placed(void) {
    uint32_t n = 0;
    for (uint32_t p = 0; p < sync_u32_load_relaxed(&arena.places); p++) {
        if (sync_u32_load_acquire(&arena.slot_of[p]) != 0) n++;
    }
    return n;
}

static inline bool world_has_spare(void) {
    return sync_u32_load_relaxed(&arena.spare) != 0;
}

/* Everything goes back to the system, and nothing was lost. */
static inline void world_release(void) {
    (void)linn_arena_collect(&arena, UINT32_MAX);
    (void)linn_arena_collect(&arena, UINT32_MAX);
    (void)linn_arena_release_empty(&arena);
    LINN_SCENARIO_CHECK(linn_fixture_chunks(&core) == 0);
    LINN_SCENARIO_CHECK(linn_fixture_held(&core) == 0);
}

#endif /* LINN_VERIFY_ARENA_WORLD_H_ */
