#include "stress/sizes.h"
#include "stress/workload.h"

/* A board of places.  A lane puts a block of its own into a place and frees the
 * block of another lane that it finds there; the other half of its blocks it
 * frees itself.  A lane that meets only blocks of its own waits for the others,
 * so the half is a half also when threads take turns on few processors. */

enum { PLACES_MIN = 4096, PLACES_A_LANE = 64, TRIES = 16 };

struct place {
    /* ATOMIC taken, 1 while a lane works on the place; nobody waits for it
     *   SB.A1 try    exchange  acquire  pairs SB.F1  the block before
     *   SB.F1 leave  store     release  pairs SB.A1  the block is there
     */
    sync_u32 taken;
    struct stress_block block;
} __attribute__((aligned(64)));

struct shared {
    uint32_t size[STRESS_SIZES];
    uint32_t places;
    /* ATOMIC left, how many lanes exchange no more
     *   SB.E1 leave  fetch_add  relaxed  a count; orders nothing
     *   SB.E2 look   load       relaxed  a count; orders nothing */
    sync_u32 left __attribute__((aligned(128)));
    struct place place[];
};

static bool prepare(struct stress_run *run) {
    uint32_t places = run->lanes * PLACES_A_LANE;
    if (places < PLACES_MIN) places = PLACES_MIN;
    struct shared *shared = (struct shared *)stress_map(
        run, sizeof *shared + places * sizeof(struct place));
    if (shared == NULL) return false;
    shared->places = places;
    stress_sizes_proxy(shared->size, run->seed);
    run->shared = shared;
    return true;
}

/* Tries one place: leaves `block` there and fetches what it finds, if that is
 * another lane's.  A place in use is as good as one with a block of ours. */
static bool try_place(struct stress_lane *lane, struct shared *shared,
                      struct stress_block *block) {
    uint32_t at = stress_random_below(&lane->random, shared->places);
    struct place *place = &shared->place[at];
    /* SB.A1 acquire, pairs with SB.F1: the block, and what its last
     * holder wrote into it. */
    if (sync_u32_exchange_acquire(&place->taken, 1)) return false;
    struct stress_block found = place->block;
    bool foreign = found.pointer == NULL ||
                   found.stamp >> STRESS_SEQUENCE_BITS != lane->thread;
    if (foreign) place->block = *block;
    /* SB.F1 release, pairs with SB.A1. */
    sync_u32_store_release(&place->taken, 0);
    if (foreign) *block = found;
    return foreign;
}

/* `block` for another lane's; `block` itself when nobody else is left. */
static struct stress_block exchange(struct stress_lane *lane,
                                    struct shared *shared,
                                    struct stress_block block) {
    for (int i = 0; i < TRIES; i++) {
        if (try_place(lane, shared, &block)) return block;
    }
    struct stress_wait wait = stress_wait_begin(lane);
    while (!try_place(lane, shared, &block)) {
        /* SB.E2 relaxed: a count that only grows. */
        if (sync_u32_load_relaxed(&shared->left) + 1 >= lane->run->lanes) {
            break;
        }
        stress_wait_round(&wait);
    }
    stress_wait_end(lane, &wait);
    return block;
}

static void body(struct stress_lane *lane) {
    struct shared *shared = (struct shared *)lane->run->shared;
    uint32_t cursor = stress_random_below(&lane->random, STRESS_SIZES);
    /* No share of its own: a lane that went on alone, after the others had done
     * theirs, would hand nothing off.  The run ends when all together are done. */
    lane->quota = UINT64_MAX;
    while (stress_goes_on(lane)) {
        for (int i = 0; i < STRESS_BATCH / 4; i++) {
            struct stress_block away = stress_alloc(lane, shared->size[cursor]);
            struct stress_block here =
                stress_alloc(lane, shared->size[(cursor + 1) % STRESS_SIZES]);
            cursor = (cursor + 2) % STRESS_SIZES;
            struct stress_block found = exchange(lane, shared, away);
            stress_free(lane, &found);
            stress_free(lane, &here);
        }
    }
    /* SB.E1 relaxed: a count. */
    (void)sync_u32_fetch_add_relaxed(&shared->left, 1);
    /* The board is emptied by whoever comes; each place is left empty. */
    struct stress_block none = {NULL, 0, 0};
    for (uint32_t at = 0; at < shared->places; at++) {
        struct place *place = &shared->place[at];
        struct stress_block found = none;
        /* SB.A1 acquire, pairs with SB.F1.  A place in use belongs to a
         * lane that has not come to its own clearing yet. */
        if (sync_u32_exchange_acquire(&place->taken, 1)) continue;
        found = place->block;
        place->block = none;
        /* SB.F1 release, pairs with SB.A1. */
        sync_u32_store_release(&place->taken, 0);
        stress_free(lane, &found);
    }
}

const struct stress_workload stress_workload_hand_off = {
    "hand-off", "half of the blocks are freed by another thread, any to any",
    2,          1,
    false,      false,
    prepare,    body,
};
