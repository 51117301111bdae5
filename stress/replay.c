#include "stress/replay.h"

#include <sys/mman.h>

const struct replay_operation *replay_operations(const struct replay_plan *p) {
    return (const struct replay_operation *)(const void *)(p + 1);
}

const uint32_t *replay_limits(const struct replay_plan *p) {
    return (const uint32_t *)(const void *)(replay_operations(p) +
                                            p->operations);
}

uint32_t replay_limits_for(uint64_t operations) {
    return (uint32_t)(operations / REPLAY_LIMIT_STRIDE + 1);
}

uint64_t replay_plan_bytes(uint64_t operations) {
    return sizeof(struct replay_plan) +
           operations * sizeof(struct replay_operation) +
           replay_limits_for(operations) * sizeof(uint32_t);
}

void replay_plan_free(struct replay_plan *plan) {
    if (plan != NULL) munmap(plan, plan->bytes);
}

bool replay_plan_is_valid(const struct replay_plan *p, size_t bytes) {
    if (bytes < sizeof *p || p->bytes != bytes || p->lanes == 0 ||
        p->lanes > REPLAY_LANES_MAX || p->operations == 0 ||
        p->limits != replay_limits_for(p->operations) ||
        replay_plan_bytes(p->operations) != bytes) {
        return false;
    }
    const struct replay_operation *o = replay_operations(p);
    for (uint32_t i = 0; i < p->operations; i++) {
        if (o[i].block >= p->blocks || o[i].index >= p->operations) {
            return false;
        }
    }
    for (uint32_t lane = 0; lane < REPLAY_LANES_MAX; lane++) {
        uint32_t end = p->lane_begin[lane + 1];
        if (p->lane_begin[lane] > end) return false;
        if (lane < p->lanes && p->lane_begin[lane] == end) return false;
    }
    return p->lane_begin[0] == 0 &&
           p->lane_begin[REPLAY_LANES_MAX] == p->operations;
}
