/* This file's own words must not be counted by themselves. */
#undef LINN_CHAOS
#undef LINN_COUNT
#define LINN_CHAOS 0
#define LINN_COUNT 0

#include "sync/count.h"

#include <stdlib.h>

#include "sync/atomic.h"
#include "sync/cacheline.h"

/* sync/atomic.h declares it only where it is called. */
void linn_count_access(int layer, enum sync_kind kind, const void *address);

#define LINES_LOG2 16
#define LINES      (1u << LINES_LOG2)

/* ATOMIC counters, and last_writer {line : 40 | thread : 24}
 *   CT.A1 count  add    relaxed  statistics
 *   CT.R1 read   load   relaxed  statistics
 *   CT.R2 reset  store  relaxed  statistics, nobody else works
 *   CT.T1 order  add    relaxed  each thread has a number of its own
 *   CT.W1 who    load   relaxed  statistics
 *   CT.W2 mine   store  relaxed  statistics */
static struct {
    sync_u64 of_kind[SYNC_RMW_FAILED + 1];
    sync_u64 line_moves;
} LINN_ALIGNED_LINE counters[LINN_COUNT_LAYERS];
static sync_u64 last_writer[LINES];
static sync_u64 threads_seen;

static __thread uint64_t my_number
    __attribute__((tls_model("initial-exec"))); /* 0: none yet */

static uint64_t own_number(void) {
    if (my_number == 0) {
        /* CT.T1 relaxed: only distinct. */
        my_number = sync_u64_fetch_add_relaxed(&threads_seen, 1) + 1;
    }
    return my_number & 0xffffff;
}

static void note_write(int layer, const void *address) {
    uint64_t line = (uint64_t)(uintptr_t)address / LINN_CACHE_LINE;
    /* Fibonacci hashing: lines at equal distances do not share places. */
    uint64_t hash = line * UINT64_C(0x9e3779b97f4a7c15);
    sync_u64 *place = &last_writer[hash >> (64 - LINES_LOG2)];
    uint64_t mine = line << 24 | own_number();
    uint64_t was = sync_u64_load_relaxed(place); /* CT.W1 */
    if (was == mine) return;
    if (was >> 24 == (mine >> 24) && was != 0) {
        /* CT.A1 */
        sync_u64_fetch_add_relaxed(&counters[layer].line_moves, 1);
    }
    sync_u64_store_relaxed(place, mine); /* CT.W2 */
}

void linn_count_access(int layer, enum sync_kind kind, const void *address) {
    if (layer < 0 || layer >= LINN_COUNT_LAYERS) abort();
    sync_u64_fetch_add_relaxed(&counters[layer].of_kind[kind], 1); /* CT.A1 */
    if (kind == SYNC_STORE || kind == SYNC_RMW) note_write(layer, address);
}

const char *linn_count_layer_name(enum linn_count_layer layer) {
    static const char *const names[LINN_COUNT_LAYERS] = {
        "other",    "thread_cache", "subpage", "page_tree", "chunk",   "arena",
        "page_map", "huge",         "buffer",  "pool",      "registry"};
    return layer < LINN_COUNT_LAYERS ? names[layer] : "";
}

static uint64_t count_of(enum linn_count_layer layer, enum sync_kind kind) {
    return sync_u64_load_relaxed(&counters[layer].of_kind[kind]); /* CT.R1 */
}

void linn_count_read(enum linn_count_layer layer, struct linn_count *out) {
    out->loads = count_of(layer, SYNC_LOAD);
    out->stores = count_of(layer, SYNC_STORE);
    out->rmws = count_of(layer, SYNC_RMW);
    out->failed = count_of(layer, SYNC_RMW_FAILED);
    /* CT.R1 */
    out->line_moves = sync_u64_load_relaxed(&counters[layer].line_moves);
}

void linn_count_reset(void) {
    for (int layer = 0; layer < LINN_COUNT_LAYERS; layer++) {
        for (int kind = 0; kind <= SYNC_RMW_FAILED; kind++) {
            /* CT.R2 */
            sync_u64_store_relaxed(&counters[layer].of_kind[kind], 0);
        }
        sync_u64_store_relaxed(&counters[layer].line_moves, 0); /* CT.R2 */
    }
    for (uint32_t i = 0; i < LINES; i++) {
        sync_u64_store_relaxed(&last_writer[i], 0); /* CT.R2 */
    }
}
