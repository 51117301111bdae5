#ifndef LINN_STRESS_WORKLOAD_H_
#define LINN_STRESS_WORKLOAD_H_

/* workload: the loads that compare measures and soak keeps up.
 *
 *   pair          alloc, free; 64, 256, 1024, 4096 and 16384 B in turn, 1,024
 *                 pairs each
 *   churn         1,024 live blocks of 256 B a thread, random replacement
 *   mix           1,024 live, random replacement, sizes of a web-socket proxy
 *   gateway       the same with an API gateway's sizes
 *   ring          a thread that only allocates, a bounded ring, a thread that
 *                 only frees; proxy sizes; threads come in twos
 *   hand-off      half of the blocks are freed by another thread, any to any
 *   larson        1,000 slots of 64 to 1,024 B; after 50,000 operations the
 *                 thread ends, a fresh one takes over, and the slot arrays
 *                 change hands
 *   thread-churn  threads that live for 200 operations, and leave half of their
 *                 blocks to the next one
 *   trace         a recorded program, see stress/replay.h
 *   fork-storm    mix, and children that allocate at once (soak alone)
 *   signal-storm  mix, interrupted by a handler that allocates (soak alone)
 *
 * Each lane's sequence of sizes and choices is a function of the seed and of the
 * lane's number. */

#include <stddef.h>

#include "stress/lane.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct stress_workload stress_workload_pair;
extern const struct stress_workload stress_workload_churn;
extern const struct stress_workload stress_workload_mix;
extern const struct stress_workload stress_workload_gateway;
extern const struct stress_workload stress_workload_ring;
extern const struct stress_workload stress_workload_hand_off;
extern const struct stress_workload stress_workload_larson;
extern const struct stress_workload stress_workload_thread_churn;
extern const struct stress_workload stress_workload_trace;
extern const struct stress_workload stress_workload_fork_storm;
extern const struct stress_workload stress_workload_signal_storm;

/* All of them, in the order above, ended by NULL. */
extern const struct stress_workload *const stress_workloads[];

/* NULL if there is none of this name. */
const struct stress_workload *stress_workload_named(const char *name);

/* What mix, and the storms, are made of: a table of live blocks. */
enum { STRESS_LIVE = 1024 };
struct stress_table {
    struct stress_block block[STRESS_LIVE];
    uint32_t cursor; /* into sizes */
    const uint32_t *sizes;
};
/* One table a lane, in lane->workload_data once the lane has called
 * stress_table_of. */
bool stress_tables_prepare(struct stress_run *run,
                           void (*fill)(uint32_t *, uint64_t));
struct stress_table *stress_table_of(struct stress_lane *lane);
/* STRESS_BATCH operations: frees a random one, allocates in its place. */
void stress_table_batch(struct stress_lane *lane, struct stress_table *table);
void stress_table_clear(struct stress_lane *lane, struct stress_table *table);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_WORKLOAD_H_ */
