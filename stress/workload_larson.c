#include "stress/workload.h"

/* After Larson and Krishnan's server: slots are refilled at random; now and then
 * the thread ends, and a fresh one goes on with slots that another filled. */

enum { SLOTS = 1000, SMALLEST = 64, LARGEST = 1024, SHIFT = 50000 };

struct slots {
    struct stress_block block[SLOTS];
};

struct shared {
    /* ATOMIC spare, one array of slots that no lane holds
     *   SX.X1 swap  exchange  acq_rel  pairs SX.X1  what the thread that
     *                             left the array did with its blocks */
    sync_ptr spare __attribute__((aligned(128)));
    /* ATOMIC left, lanes that swap no more
     *   SX.X2 leave  fetch_add  acq_rel  pairs SX.X2  the last one has
     *                               the spare array for itself */
    sync_u32 left;
};

static bool prepare(struct stress_run *run) {
    struct shared *shared = (struct shared *)stress_map(run, sizeof *shared);
    struct slots *all =
        (struct slots *)stress_map(run, sizeof *all * (run->lanes + 1));
    if (shared == NULL || all == NULL) return false;
    for (uint32_t i = 0; i < run->lanes; i++) {
        run->lane[i].workload_data = &all[i];
    }
    /* SX.X1 acq_rel: only to put the spare one there; nobody runs yet. */
    (void)sync_ptr_exchange_acq_rel(&shared->spare, &all[run->lanes]);
    run->shared = shared;
    return true;
}

static void shift(struct stress_lane *lane) {
    struct slots *slots = (struct slots *)lane->workload_data;
    uint64_t end = lane->operations + SHIFT;
    while (lane->operations < end && stress_goes_on(lane)) {
        for (int i = 0; i < STRESS_BATCH / 2; i++) {
            uint32_t at = stress_random_below(&lane->random, SLOTS);
            uint32_t size =
                SMALLEST +
                stress_random_below(&lane->random, LARGEST - SMALLEST + 1);
            stress_free(lane, &slots->block[at]);
            slots->block[at] = stress_alloc(lane, size);
        }
    }
}

static void clear(struct stress_lane *lane, struct slots *slots) {
    for (int i = 0; i < SLOTS; i++) {
        stress_free(lane, &slots->block[i]);
        slots->block[i].pointer = NULL;
    }
}

static void body(struct stress_lane *lane) {
    struct shared *shared = (struct shared *)lane->run->shared;
    for (uint32_t generation = 0; stress_goes_on(lane); generation++) {
        stress_in_fresh_thread(lane, generation, shift);
        /* SX.X1 acq_rel: gives our array away as we left it, and takes over
         * what its last thread wrote. */
        lane->workload_data =
            sync_ptr_exchange_acq_rel(&shared->spare, lane->workload_data);
    }
    clear(lane, (struct slots *)lane->workload_data);
    /* SX.X2 acq_rel: nobody swaps any more when we are the last. */
    if (sync_u32_fetch_add_acq_rel(&shared->left, 1) + 1 < lane->run->lanes) {
        return;
    }
    /* SX.X1 acq_rel: as above. */
    clear(lane,
          (struct slots *)sync_ptr_exchange_acq_rel(&shared->spare, NULL));
}

const struct stress_workload stress_workload_larson = {
    "larson", "64 B to 1 KiB; threads end and hand their slots to fresh ones",
    1,        1,
    false,    false,
    prepare,  body,
};
