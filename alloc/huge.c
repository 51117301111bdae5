#define SYNC_LAYER LINN_COUNT_HUGE
#include "alloc/huge.h"

#include "alloc/page_map.h"
#include "alloc/page_source.h"

void *linn_huge_take(struct linn_pool_core *pool, size_t bytes,
                     size_t alignment) {
    if (bytes > PTRDIFF_MAX - LINN_GRANULE_BYTES) return NULL;
    size_t whole = (bytes + LINN_GRANULE_BYTES - 1) & ~(LINN_GRANULE_BYTES - 1);
    if (whole == 0) whole = LINN_GRANULE_BYTES;
    if (alignment < LINN_GRANULE_BYTES) alignment = LINN_GRANULE_BYTES;
    struct linn_chunk *chunk = linn_chunk_slot_take();
    if (chunk == NULL) return NULL;
    void *base = linn_page_source_map(whole, alignment);
    if (base == NULL) {
        linn_chunk_slot_give(chunk);
        return NULL;
    }
    if (!linn_page_map_add(base, whole, chunk->slot)) {
        linn_page_source_unmap(base, whole);
        linn_chunk_slot_give(chunk);
        return NULL;
    }
    linn_chunk_born_huge(chunk, pool, base, whole);
    linn_page_map_set(base, (size_t)1 << LINN_MAP_SHIFT,
                      linn_map_entry(pool, LINN_MAP_HUGE)); /* H1 */
    linn_tally_add(&pool->tally, LINN_TALLY_HUGE_BORN, 1);
    linn_tally_add(&pool->tally, LINN_TALLY_HUGE_BYTES_BORN, whole);
    linn_tally_add(&pool->tally, LINN_TALLY_HELD_BYTES_TAKEN, whole);
    linn_tally_add(&pool->tally, LINN_TALLY_OS_CALLS, 1);
    return base;
}

bool linn_huge_give(void *block) {
    struct linn_chunk *chunk = linn_chunk_of(block);
    if (chunk == NULL) return false;
    /* CH.H1 acquire, pairs with CH.B2: the fields below are of this life or of a
     * later one, and in that case CH.D2 refuses. */
    uint64_t seen = sync_u64_load_acquire(&chunk->guard);
    if (chunk->base != block) return false;
    struct linn_pool_core *pool = chunk->pool;
    size_t bytes = chunk->bytes;
    if (!linn_chunk_end_huge(chunk, seen)) return false; /* H1 */
    linn_page_map_set(block, (size_t)1 << LINN_MAP_SHIFT, 0);
    linn_page_map_remove(block, bytes);
    linn_page_source_unmap(block, bytes);
    linn_tally_add(&pool->tally, LINN_TALLY_HUGE_DIED, 1);
    linn_tally_add(&pool->tally, LINN_TALLY_HUGE_BYTES_DIED, bytes);
    linn_tally_add(&pool->tally, LINN_TALLY_HELD_BYTES_GIVEN, bytes);
    linn_tally_add(&pool->tally, LINN_TALLY_OS_CALLS, 1);
    linn_chunk_slot_give(chunk);
    return true;
}

size_t linn_huge_bytes(const struct linn_chunk *chunk) {
    return chunk->bytes;
}
