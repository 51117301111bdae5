#ifndef LINN_STRESS_RING_H_
#define LINN_STRESS_RING_H_

/* ring: a bounded queue of blocks from one producer to one consumer.
 *
 *     slot[]   | . . . b b b b b . . . . |
 *                    ^head     ^tail         indices that only grow
 *
 *     (I1)  head <= tail <= head + STRESS_RING_SLOTS
 *
 * Each side keeps a copy of the other's index and looks again only when the
 * copy says full or empty, so a burst costs two transfers of a line each way.
 * (Our own and not ck_ring: ThreadSanitizer does not see CK's accesses.)
 *
 * Progress: wait-free.
 * Checked by: stress/workload_test.cc. */

#include <stdbool.h>
#include <stdint.h>

#include "stress/lane.h"
#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { STRESS_RING_SLOTS = 4096 };

struct stress_ring {
    /* ATOMIC tail, written by the producer
     *   SR.P1 publish  store  release  pairs SR.C1  the slots are written
     *   SR.C1 look     load   acquire  pairs SR.P1  before they are read */
    sync_u32 tail __attribute__((aligned(128)));
    uint32_t tail_own, head_seen; /* the producer's */

    /* ATOMIC head, written by the consumer
     *   SR.C2 publish  store  release  pairs SR.P2  the slots are read
     *   SR.P2 look     load   acquire  pairs SR.C2  before they are reused
     */
    sync_u32 head __attribute__((aligned(128)));
    uint32_t head_own, tail_seen; /* the consumer's */

    struct stress_block slot[STRESS_RING_SLOTS] __attribute__((aligned(128)));
};

/* Blocks that the producer may put now; looks afresh if fewer than `wanted`. */
uint32_t stress_ring_room(struct stress_ring *ring, uint32_t wanted);
/* Blocks that the consumer may take now; likewise. */
uint32_t stress_ring_filled(struct stress_ring *ring, uint32_t wanted);

/* The i-th block from the end, of those just promised. */
static inline struct stress_block *stress_ring_put_at(struct stress_ring *r,
                                                      uint32_t i) {
    return &r->slot[(r->tail_own + i) % STRESS_RING_SLOTS];
}
static inline struct stress_block *stress_ring_take_at(struct stress_ring *r,
                                                       uint32_t i) {
    return &r->slot[(r->head_own + i) % STRESS_RING_SLOTS];
}

/* Hands over `count` blocks written, or slots read. */
void stress_ring_put(struct stress_ring *ring, uint32_t count);
void stress_ring_taken(struct stress_ring *ring, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_RING_H_ */
