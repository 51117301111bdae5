#include "alloc/linn.h"
#include "alloc/page_source.h"
#include "stress/subject.h"

#ifdef LINN_COUNT
#include "sync/count.h"
#endif

static void *alloc_block(size_t size) {
    return linn_alloc(NULL, size);
}

static void *realloc_block(void *block, size_t size) {
    return linn_realloc(NULL, block, size);
}

static size_t usable_size(void *block) {
    return linn_usable_size(block);
}

static bool read_counters(struct stress_counters *out) {
    struct linn_counters c = {0};
    c.size = sizeof c;
    if (!linn_pool_counters(NULL, &c)) return false;
    out->allocations = c.allocations;
    out->frees = c.frees;
    out->live_blocks = c.live_blocks;
    out->held_bytes = c.held_bytes;
#ifdef LINN_COUNT
    /* Every layer but LINN_COUNT_OTHER, which is the driver's own rings. */
    out->counted = true;
    out->read_modify_writes = 0;
    out->retries = 0;
    for (int layer = LINN_COUNT_OTHER + 1; layer < LINN_COUNT_LAYERS; layer++) {
        struct linn_count count;
        linn_count_read((enum linn_count_layer)layer, &count);
        out->read_modify_writes += count.rmws;
        out->retries += count.failed;
    }
#endif
    return true;
}

static uint64_t inject_faults(uint32_t one_in_n) {
    if (one_in_n > 0) {
        linn_page_source_fail_every(one_in_n);
    } else {
        linn_page_source_fail_never();
    }
    return linn_page_source_faults();
}

static const struct stress_subject subject = {
#ifdef LINN_LOCKED
    .name = "linn-locked",
#else
    .name = "linn",
#endif
    .alloc = alloc_block,
    .free = linn_free,
    .realloc = realloc_block,
    .usable_size = usable_size,
    .counters = read_counters,
    .faults = inject_faults,
};

const struct stress_subject *linn_stress_subject(void) {
    return &subject;
}
