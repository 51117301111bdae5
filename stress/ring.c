#include "stress/ring.h"

uint32_t stress_ring_room(struct stress_ring *r, uint32_t wanted) {
    uint32_t room = STRESS_RING_SLOTS - (r->tail_own - r->head_seen);
    if (room >= wanted) return room;
    /* SR.P2 acquire, pairs with SR.C2: the consumer has read the slots that
     * we are about to write. */
    r->head_seen = sync_u32_load_acquire(&r->head);
    return STRESS_RING_SLOTS - (r->tail_own - r->head_seen);
}

uint32_t stress_ring_filled(struct stress_ring *r, uint32_t wanted) {
    uint32_t filled = r->tail_seen - r->head_own;
    if (filled >= wanted) return filled;
    /* SR.C1 acquire, pairs with SR.P1: the slots, and what the producer
     * wrote into the blocks. */
    r->tail_seen = sync_u32_load_acquire(&r->tail);
    return r->tail_seen - r->head_own;
}

void stress_ring_put(struct stress_ring *r, uint32_t count) {
    r->tail_own += count;
    /* SR.P1 release, pairs with SR.C1. */
    sync_u32_store_release(&r->tail, r->tail_own);
}

void stress_ring_taken(struct stress_ring *r, uint32_t count) {
    r->head_own += count;
    /* SR.C2 release, pairs with SR.P2. */
    sync_u32_store_release(&r->head, r->head_own);
}
