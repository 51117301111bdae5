#include "stress/workload.h"

/* Short threads: each frees what the one before it left, works, and leaves half
 * of its own blocks. */

enum { LEFT = 50 };

struct leavings {
    struct stress_block block[LEFT];
};

static bool prepare(struct stress_run *run) {
    struct leavings *all =
        (struct leavings *)stress_map(run, sizeof *all * run->lanes);
    if (all == NULL) return false;
    for (uint32_t i = 0; i < run->lanes; i++) {
        run->lane[i].workload_data = &all[i];
    }
    return true;
}

static uint32_t draw_size(struct stress_lane *lane) {
    /* 16 B to 8 KiB, each doubling as likely as the others. */
    uint32_t octave = stress_random_below(&lane->random, 9);
    return (16u << octave) + stress_random_below(&lane->random, 16u << octave);
}

static void short_life(struct stress_lane *lane) {
    struct leavings *left = (struct leavings *)lane->workload_data;
    struct stress_block own[LEFT];
    for (int i = 0; i < LEFT; i++) {
        own[i] = stress_alloc(lane, draw_size(lane));
        stress_free(lane, &left->block[i]);
        left->block[i] = stress_alloc(lane, draw_size(lane));
    }
    for (int i = 0; i < LEFT; i++) {
        stress_free(lane, &own[i]);
    }
}

static void clear(struct stress_lane *lane) {
    struct leavings *left = (struct leavings *)lane->workload_data;
    for (int i = 0; i < LEFT; i++) {
        stress_free(lane, &left->block[i]);
        left->block[i].pointer = NULL;
    }
}

static void body(struct stress_lane *lane) {
    uint32_t generation = 1;
    while (stress_goes_on(lane)) {
        stress_in_fresh_thread(lane, generation++, short_life);
    }
    clear(lane);
}

const struct stress_workload stress_workload_thread_churn = {
    "thread-churn",
    "threads of 200 operations, half of the blocks are left",
    1,
    1,
    false,
    false,
    prepare,
    body,
};
