#include "stress/workload.h"

static void body(struct stress_lane *lane) {
    static const uint32_t size[] = {64, 256, 1024, 4096, 16384};
    uint32_t which = 0;
    for (uint32_t batch = 0; stress_goes_on(lane); batch++) {
        if (batch % 32 == 0) which = (which + 1) % 5;
        for (int i = 0; i < STRESS_BATCH / 2; i++) {
            struct stress_block b = stress_alloc(lane, size[which]);
            stress_free(lane, &b);
        }
    }
}

const struct stress_workload stress_workload_pair = {
    "pair", "alloc and free of one block, 64 B to 16 KiB in turn",
    1,      1,
    false,  false,
    NULL,   body,
};
