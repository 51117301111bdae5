#ifndef LINN_ALLOC_ARENA_FIXTURE_H_
#define LINN_ALLOC_ARENA_FIXTURE_H_

/* arena_fixture: a pool core made by hand, for tests and scenarios of arenas.
 *
 * No pool, thread cache or constructor is needed: whoever has `core` and zeroed
 * arenas calls linn_fixture_core, then works with the functions of alloc/arena.h.
 * Core numbers from 200 on are far from those that linn_pool_create gives out. */

#include "alloc/arena.h"
#include "alloc/page_map.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LINN_FIXTURE_CORE_ID 200

static inline void linn_fixture_core(struct linn_pool_core *core,
                                     struct linn_arena *arenas, uint32_t count,
                                     size_t page_bytes, size_t chunk_order) {
    struct linn_geometry_options options;
    options.page_bytes = page_bytes;
    options.chunk_order = chunk_order;
    options.alignment = 16;
    options.power_of_two = false;
    options.small_cache = 256;
    options.normal_cache = 64;
    options.cached_max = 131072;
    core->id = LINN_FIXTURE_CORE_ID;
    linn_geometry_init(&core->geometry, &options);
    linn_bands_init(&core->bands, core->geometry.chunk_pages);
    linn_page_map_init();
    core->arenas = arenas;
    core->set.count = count;
    for (uint32_t i = 0; i < count; i++) {
        core->set.arena[i] = &arenas[i];
        linn_arena_init(&arenas[i], core, i);
    }
}

/* Born and not died, of one of the figures that come in such pairs. */
static inline uint64_t linn_fixture_live(const struct linn_pool_core *core,
                                         enum linn_tally_field born,
                                         enum linn_tally_field died) {
    return linn_tally_read(&core->tally, born) -
           linn_tally_read(&core->tally, died);
}

static inline uint64_t linn_fixture_chunks(const struct linn_pool_core *core) {
    return linn_fixture_live(core, LINN_TALLY_CHUNKS_BORN,
                             LINN_TALLY_CHUNKS_DIED);
}

static inline uint64_t linn_fixture_subpages(
    const struct linn_pool_core *core) {
    return linn_fixture_live(core, LINN_TALLY_SUBPAGES_BORN,
                             LINN_TALLY_SUBPAGES_DIED);
}

static inline uint64_t linn_fixture_held(const struct linn_pool_core *core) {
    return linn_fixture_live(core, LINN_TALLY_HELD_BYTES_TAKEN,
                             LINN_TALLY_HELD_BYTES_GIVEN);
}

#ifdef __cplusplus
}
#endif

#endif /* LINN_ALLOC_ARENA_FIXTURE_H_ */
