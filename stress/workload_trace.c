#include "stress/workload_trace.h"

#include <stdio.h>

#include "stress/workload.h"

static bool prepare(struct stress_run *run) {
    const struct replay_plan *plan = (const struct replay_plan *)run->plan;
    if (plan == NULL) {
        snprintf(run->error, sizeof run->error, "no trace was given");
        return false;
    }
    if (run->lanes != plan->lanes) {
        snprintf(run->error, sizeof run->error, "%u threads for a plan of %u",
                 run->lanes, plan->lanes);
        return false;
    }
    struct replay_shared *shared =
        (struct replay_shared *)stress_map(run, sizeof *shared);
    if (shared == NULL) return false;
    shared->plan = plan;
    shared->slot = (struct replay_slot *)stress_map(
        run, (uint64_t)plan->blocks * sizeof *shared->slot + 1);
    if (shared->slot == NULL) return false;
    run->shared = shared;
    for (uint32_t i = 0; i < plan->lanes; i++) {
        /* ST.P1 release: nobody runs yet. */
        sync_u64_store_release(
            &shared->lane[i].position,
            replay_operations(plan)[plan->lane_begin[i]].index);
    }
    return true;
}

static bool is_stopping(struct replay_shared *shared) {
    /* ST.E2 relaxed: a request. */
    return sync_u32_load_relaxed(&shared->stopping) != 0;
}

/* ---- The order of events ---- */

static uint64_t earliest(struct replay_shared *shared) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < shared->plan->lanes; i++) {
        /* ST.P2 acquire, pairs with ST.P1: what lies before the
         * position is done, and seen by us. */
        uint64_t at = sync_u64_load_acquire(&shared->lane[i].position);
        if (at < least) least = at;
    }
    return least;
}

/* Whether the event at this position may begin. */
static bool may_begin(struct replay_shared *shared, struct replay_lane *own,
                      uint64_t position) {
    if (position < own->limit) return true;
    uint64_t first = earliest(shared);
    uint64_t pass_begin =
        first / shared->plan->operations * shared->plan->operations;
    uint32_t m = (uint32_t)(first - pass_begin);
    own->limit =
        pass_begin + replay_limits(shared->plan)[m / REPLAY_LIMIT_STRIDE];
    return position < own->limit || position == first;
}

static bool is_turn(struct replay_slot *slot, uint32_t step) {
    /* ST.S2 acquire, pairs with ST.S1: the block as it was left. */
    return sync_u32_load_acquire(&slot->step) == step;
}

/* False if the replay ends instead. */
static bool wait_for_turn(struct stress_lane *lane,
                          struct replay_shared *shared, struct replay_lane *own,
                          struct replay_slot *slot, uint32_t step,
                          uint64_t position) {
    if (may_begin(shared, own, position) && is_turn(slot, step)) return true;
    struct stress_wait wait = stress_wait_begin(lane);
    bool go = true;
    while (!may_begin(shared, own, position) || !is_turn(slot, step)) {
        if (is_stopping(shared) || !stress_goes_on(lane)) {
            go = false;
            break;
        }
        stress_wait_round(&wait);
    }
    stress_wait_end(lane, &wait);
    return go;
}

/* ---- Live bytes, for (R3) ---- */

static void count_live(struct replay_shared *shared, uint32_t before,
                       uint32_t after) {
    uint64_t change = (uint64_t)after - before;
    /* ST.L1 relaxed: one word's own order is enough. */
    uint64_t live =
        sync_u64_fetch_add_relaxed(&shared->live_bytes, change) + change;
    /* ST.L2 relaxed: ST.L3 decides. */
    uint64_t peak = sync_u64_load_relaxed(&shared->peak_bytes);
    while (live > peak) {
        /* ST.L3 relaxed: a maximum. */
        if (sync_u64_cas_relaxed_relaxed(&shared->peak_bytes, &peak, live)) {
            return;
        }
    }
}

uint64_t replay_peak_seen(const struct stress_run *run) {
    struct replay_shared *shared = (struct replay_shared *)run->shared;
    /* ST.L2 relaxed: the lanes are joined. */
    return sync_u64_load_relaxed(&shared->peak_bytes);
}

uint64_t replay_passes(const struct stress_run *run) {
    struct replay_shared *shared = (struct replay_shared *)run->shared;
    return earliest(shared) / shared->plan->operations;
}

/* ---- The lane ---- */

static void perform(struct stress_lane *lane, struct replay_shared *shared,
                    struct replay_slot *slot,
                    const struct replay_operation *o) {
    uint32_t kind = o->kind_step & 3;
    uint32_t before = slot->block.size;
    if (kind == REPLAY_ALLOC) {
        slot->block = stress_alloc(lane, o->size);
        before = 0;
    } else if (kind == REPLAY_REALLOC) {
        /* One whose alloc failed stays without a block. */
        if (slot->block.pointer != NULL) {
            slot->block = stress_realloc(lane, slot->block, o->size);
        }
    } else {
        stress_free(lane, &slot->block);
        slot->block.pointer = NULL;
    }
    if (lane->checked) {
        count_live(shared, before, kind == REPLAY_FREE ? 0 : slot->block.size);
    }
}

/* All lanes have left their sequences: free what they left, each its share. */
static void clear(struct stress_lane *lane, struct replay_shared *shared) {
    /* ST.E1 relaxed: a request. */
    sync_u32_store_relaxed(&shared->stopping, 1);
    /* ST.E3 acq_rel, pairs with ST.E4: our slots are as we leave them. */
    (void)sync_u32_fetch_add_acq_rel(&shared->left, 1);
    struct stress_wait wait = stress_wait_begin(lane);
    /* ST.E4 acquire, pairs with ST.E3: everybody's slots. */
    while (sync_u32_load_acquire(&shared->left) < shared->plan->lanes) {
        stress_wait_round(&wait);
    }
    stress_wait_end(lane, &wait);
    for (uint32_t i = lane->index; i < shared->plan->blocks;
         i += shared->plan->lanes) {
        stress_free(lane, &shared->slot[i].block);
    }
}

static void body(struct stress_lane *lane) {
    struct replay_shared *shared = (struct replay_shared *)lane->run->shared;
    const struct replay_plan *plan = shared->plan;
    const struct replay_operation *operation = replay_operations(plan);
    struct replay_lane *own = &shared->lane[lane->index];
    uint32_t begin = plan->lane_begin[lane->index];
    uint32_t end = plan->lane_begin[lane->index + 1];
    uint64_t pass_begin = 0;
    uint32_t at = begin, until_look = 0;
    for (;;) {
        if (until_look-- == 0) {
            if (is_stopping(shared) || !stress_goes_on(lane)) break;
            until_look = STRESS_BATCH - 1;
        }
        const struct replay_operation *o = &operation[at];
        struct replay_slot *slot = &shared->slot[o->block];
        uint32_t step = o->kind_step >> 2;
        if (!wait_for_turn(lane, shared, own, slot, step,
                           pass_begin + o->index)) {
            break;
        }
        perform(lane, shared, slot, o);
        /* A free is the block's last step: it is set back for the next pass. */
        uint32_t next_step = (o->kind_step & 3) == REPLAY_FREE ? 0 : step + 1;
        /* ST.S1 release, pairs with ST.S2. */
        sync_u32_store_release(&slot->step, next_step);
        if (++at == end) {
            at = begin;
            pass_begin += plan->operations;
        }
        /* ST.P1 release, pairs with ST.P2. */
        sync_u64_store_release(&own->position,
                               pass_begin + operation[at].index);
    }
    clear(lane, shared);
}

const struct stress_workload stress_workload_trace = {
    "trace", "a recorded program, over and over", 1, 1, false, false, prepare,
    body,
};
