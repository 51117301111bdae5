#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "stress/replay.h"
#include "stress/trace/trace.h"

#define STEP_MAX (UINT32_MAX >> 2)

/* What is known of a block while the plan is made. */
struct block_state {
    uint32_t size;
    uint32_t steps; /* 0: not allocated yet */
    uint16_t lane;  /* that had it last */
    bool freed;
};

/* A plan in the making: everything in the recorded order. */
struct draft {
    uint32_t lanes;
    uint32_t count;
    struct replay_operation *operation; /* [count] */
    uint8_t *lane;                      /* of each operation */
    uint64_t *live;  /* L: before each; one more at the end */
    uint64_t *grown; /* sum of what was allocated before */
    struct block_state *block;
    uint64_t live_now, peak;
    uint32_t peak_index;
};

static bool draft_make(struct draft *d, uint32_t lanes, uint64_t operations,
                       uint64_t blocks) {
    memset(d, 0, sizeof *d);
    d->lanes = lanes;
    d->operation =
        (struct replay_operation *)calloc(operations, sizeof *d->operation);
    d->lane = (uint8_t *)calloc(operations, 1);
    d->live = (uint64_t *)calloc(operations + 1, sizeof *d->live);
    d->grown = (uint64_t *)calloc(operations + 1, sizeof *d->grown);
    d->block = (struct block_state *)calloc(blocks + 1, sizeof *d->block);
    return d->operation && d->lane && d->live && d->grown && d->block;
}

static void draft_free(struct draft *d) {
    free(d->operation);
    free(d->lane);
    free(d->live);
    free(d->grown);
    free(d->block);
}

static void draft_add(struct draft *d, uint32_t kind, uint32_t block,
                      uint32_t size, uint32_t lane) {
    struct block_state *b = &d->block[block];
    uint32_t n = d->count++;
    struct replay_operation o = {block, size, n, kind | b->steps << 2};
    d->operation[n] = o;
    d->lane[n] = (uint8_t)lane;
    d->live[n] = d->live_now;
    d->grown[n + 1] = d->grown[n] + (size > b->size ? size - b->size : 0);
    d->live_now = d->live_now - b->size + size;
    d->live[n + 1] = d->live_now;
    if (d->live_now > d->peak) {
        d->peak = d->live_now;
        d->peak_index = n;
    }
    b->size = size;
    b->steps++;
    b->lane = (uint16_t)lane;
    b->freed = kind == REPLAY_FREE;
}

static uint32_t kind_of(trace_event e) {
    switch (e.operation) {
        case TRACE_FREE:
            return REPLAY_FREE;
        case TRACE_REALLOC:
            return REPLAY_REALLOC;
        default:
            return REPLAY_ALLOC;
    }
}

static bool draft_fill(struct draft *d, const struct trace *trace, char *error,
                       size_t error_size) {
    size_t events = trace_count(trace);
    for (size_t i = 0; i < events; i++) {
        trace_event e = trace_event_at(trace, i);
        uint32_t kind = kind_of(e);
        draft_add(d, kind, e.block, kind == REPLAY_FREE ? 0 : e.size,
                  e.thread % d->lanes);
        if (d->block[e.block].steps >= STEP_MAX) {
            snprintf(error, error_size, "block %u has too many reallocs",
                     e.block);
            return false;
        }
    }
    /* (R4) */
    for (uint32_t block = 0; block < trace_blocks(trace); block++) {
        struct block_state *b = &d->block[block];
        if (b->steps > 0 && !b->freed) {
            draft_add(d, REPLAY_FREE, block, 0, b->lane);
        }
    }
    return true;
}

/* limit(m) for each m that is a multiple of the stride. */
static void write_limits(const struct draft *d, uint32_t *limits) {
    uint32_t i = 0;
    for (uint32_t k = 0; k < replay_limits_for(d->count); k++) {
        uint32_t m = k * REPLAY_LIMIT_STRIDE;
        uint32_t most =
            d->count - m < REPLAY_WINDOW ? d->count : m + REPLAY_WINDOW;
        if (m <= d->peak_index && most > d->peak_index + 1) {
            most = d->peak_index + 1;
        }
        /* What an earlier m allowed stays allowed: its sum bounds what is live
         * as long as any of it is not done. */
        if (i < m) i = m;
        while (i < most &&
               d->live[m] + (d->grown[i + 1] - d->grown[m]) <= d->peak) {
            i++;
        }
        limits[k] = i;
    }
}

static void write_lanes(const struct draft *d, struct replay_plan *p,
                        struct replay_operation *out) {
    uint32_t filled = 0;
    for (uint32_t lane = 0; lane < REPLAY_LANES_MAX; lane++) {
        p->lane_begin[lane] = filled;
        for (uint32_t i = 0; lane < d->lanes && i < d->count; i++) {
            if (d->lane[i] == lane) out[filled++] = d->operation[i];
        }
    }
    p->lane_begin[REPLAY_LANES_MAX] = filled;
}

static struct replay_plan *plan_of(const struct draft *d, uint32_t blocks) {
    uint64_t bytes = replay_plan_bytes(d->count);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    struct replay_plan *p = (struct replay_plan *)memory;
    p->bytes = bytes;
    p->operations = d->count;
    p->blocks = blocks;
    p->lanes = d->lanes;
    p->limits = replay_limits_for(d->count);
    p->peak_live_bytes = d->peak;
    p->peak_index = d->peak_index;
    struct replay_operation *out = (struct replay_operation *)(void *)(p + 1);
    write_lanes(d, p, out);
    write_limits(d, (uint32_t *)(void *)(out + d->count));
    return p;
}

struct replay_plan *replay_plan_make(const struct trace *trace, uint32_t lanes,
                                     char *error, size_t error_size) {
    trace_totals totals = trace_totals_of(trace);
    uint64_t operations = totals.events + totals.blocks - totals.frees;
    if (lanes == 0 || lanes > totals.threads) lanes = totals.threads;
    if (lanes > REPLAY_LANES_MAX) lanes = REPLAY_LANES_MAX;
    if (operations == 0 || operations > UINT32_MAX / 2) {
        snprintf(error, error_size, "a trace of %llu operations",
                 (unsigned long long)operations);
        return NULL;
    }
    struct draft d;
    struct replay_plan *p = NULL;
    if (!draft_make(&d, lanes, operations, totals.blocks)) {
        snprintf(error, error_size, "no memory for a plan of %llu operations",
                 (unsigned long long)operations);
    } else if (draft_fill(&d, trace, error, error_size)) {
        p = plan_of(&d, (uint32_t)totals.blocks);
        if (p == NULL) snprintf(error, error_size, "no memory for a plan");
    }
    draft_free(&d);
    return p;
}
