#include "stress/ring.h"
#include "stress/sizes.h"
#include "stress/workload.h"

/* Lane 2k allocates, lane 2k + 1 frees; nothing else passes between them but the
 * ring and `ended`. */

enum { BURST = 128 };

struct pair_of_lanes {
    struct stress_ring ring;
    /* ATOMIC ended, written by the producer when it puts nothing more
     *   SR.P3 end   store  release  pairs SR.C3  its last put is out
     *   SR.C3 look  load   acquire  pairs SR.P3  before the last look */
    sync_u32 ended __attribute__((aligned(128)));
};

struct shared {
    uint32_t size[STRESS_SIZES];
    struct pair_of_lanes pair[STRESS_LANES_MAX / 2];
};

static bool prepare(struct stress_run *run) {
    size_t bytes = offsetof(struct shared, pair) +
                   sizeof(struct pair_of_lanes) * (run->lanes / 2);
    struct shared *shared = (struct shared *)stress_map(run, bytes);
    if (shared == NULL) return false;
    stress_sizes_proxy(shared->size, run->seed);
    run->shared = shared;
    return true;
}

static void produce(struct stress_lane *lane, struct shared *shared,
                    struct pair_of_lanes *pair) {
    uint32_t cursor = stress_random_below(&lane->random, STRESS_SIZES);
    while (stress_goes_on(lane)) {
        if (stress_ring_room(&pair->ring, BURST) < BURST) {
            /* Not until half the ring is free: a wait for each burst would
             * measure the waiting.  The consumer ends only after us, so room
             * will come. */
            struct stress_wait wait = stress_wait_begin(lane);
            while (stress_ring_room(&pair->ring, STRESS_RING_SLOTS / 2) <
                   STRESS_RING_SLOTS / 2) {
                stress_wait_round(&wait);
            }
            stress_wait_end(lane, &wait);
        }
        for (uint32_t i = 0; i < BURST; i++) {
            *stress_ring_put_at(&pair->ring, i) =
                stress_alloc(lane, shared->size[cursor]);
            cursor = (cursor + 1) % STRESS_SIZES;
        }
        stress_ring_put(&pair->ring, BURST);
    }
    /* SR.P3 release, pairs with SR.C3. */
    sync_u32_store_release(&pair->ended, 1);
}

static void consume(struct stress_lane *lane, struct pair_of_lanes *pair) {
    lane->quota = UINT64_MAX; /* ends when its producer has */
    for (;;) {
        (void)stress_goes_on(lane);
        if (stress_ring_filled(&pair->ring, BURST) < BURST) {
            struct stress_wait wait = stress_wait_begin(lane);
            while (stress_ring_filled(&pair->ring, STRESS_RING_SLOTS / 2) <
                   STRESS_RING_SLOTS / 2) {
                /* SR.C3 acquire, pairs with SR.P3: what we then find is all
                 * there will be. */
                if (sync_u32_load_acquire(&pair->ended)) break;
                stress_wait_round(&wait);
            }
            stress_wait_end(lane, &wait);
        }
        uint32_t count = stress_ring_filled(&pair->ring, 1);
        if (count == 0) return; /* ended, and nothing came after all */
        if (count > BURST) count = BURST;
        for (uint32_t i = 0; i < count; i++) {
            stress_free(lane, stress_ring_take_at(&pair->ring, i));
        }
        stress_ring_taken(&pair->ring, count);
    }
}

static void body(struct stress_lane *lane) {
    struct shared *shared = (struct shared *)lane->run->shared;
    struct pair_of_lanes *pair = &shared->pair[lane->index / 2];
    if (lane->index % 2 == 0) {
        produce(lane, shared, pair);
    } else {
        consume(lane, pair);
    }
}

const struct stress_workload stress_workload_ring = {
    "ring",  "one thread only allocates, another only frees, a ring between",
    2,       2,
    false,   false,
    prepare, body,
};
