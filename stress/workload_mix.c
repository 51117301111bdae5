#include "stress/sizes.h"
#include "stress/workload.h"

/* Random replacement: mix, gateway and churn differ in their sizes. */

struct shared_sizes {
    uint32_t size[STRESS_SIZES];
};

bool stress_tables_prepare(struct stress_run *run,
                           void (*fill)(uint32_t *, uint64_t)) {
    struct shared_sizes *sizes =
        (struct shared_sizes *)stress_map(run, sizeof *sizes);
    if (sizes == NULL) return false;
    fill(sizes->size, run->seed);
    run->shared = sizes;
    for (uint32_t i = 0; i < run->lanes; i++) {
        struct stress_table *table =
            (struct stress_table *)stress_map(run, sizeof *table);
        if (table == NULL) return false;
        table->sizes = sizes->size;
        run->lane[i].workload_data = table;
    }
    return true;
}

struct stress_table *stress_table_of(struct stress_lane *lane) {
    struct stress_table *table = (struct stress_table *)lane->workload_data;
    table->cursor = stress_random_below(&lane->random, STRESS_SIZES);
    return table;
}

void stress_table_batch(struct stress_lane *lane, struct stress_table *table) {
    for (int i = 0; i < STRESS_BATCH / 2; i++) {
        uint32_t at = stress_random_below(&lane->random, STRESS_LIVE);
        struct stress_block *b = &table->block[at];
        stress_free(lane, b);
        *b = stress_alloc(lane, table->sizes[table->cursor]);
        table->cursor = (table->cursor + 1) % STRESS_SIZES;
    }
}

void stress_table_clear(struct stress_lane *lane, struct stress_table *table) {
    for (uint32_t i = 0; i < STRESS_LIVE; i++) {
        stress_free(lane, &table->block[i]);
        table->block[i].pointer = NULL;
    }
}

static void body(struct stress_lane *lane) {
    struct stress_table *table = stress_table_of(lane);
    while (stress_goes_on(lane)) {
        stress_table_batch(lane, table);
    }
    stress_table_clear(lane, table);
}

static bool prepare_mix(struct stress_run *run) {
    return stress_tables_prepare(run, stress_sizes_proxy);
}

static bool prepare_gateway(struct stress_run *run) {
    return stress_tables_prepare(run, stress_sizes_gateway);
}

static void all_256(uint32_t *table, uint64_t seed) {
    (void)seed;
    for (size_t i = 0; i < STRESS_SIZES; i++) {
        table[i] = 256;
    }
}

static bool prepare_churn(struct stress_run *run) {
    return stress_tables_prepare(run, all_256);
}

const struct stress_workload stress_workload_mix = {
    "mix",
    "web-socket proxy sizes, 1,024 live a thread, random replacement",
    1,
    1,
    false,
    false,
    prepare_mix,
    body,
};

const struct stress_workload stress_workload_gateway = {
    "gateway",
    "API gateway sizes (log-normal), 1,024 live, random replacement",
    1,
    1,
    false,
    false,
    prepare_gateway,
    body,
};

const struct stress_workload stress_workload_churn = {
    "churn",
    "256 B, 1,024 live a thread, random replacement",
    1,
    1,
    false,
    false,
    prepare_churn,
    body,
};
