#ifndef LINN_STRESS_WORKLOAD_TRACE_H_
#define LINN_STRESS_WORKLOAD_TRACE_H_

/* The shared words of a replay (stress/replay.h says what is kept). */

#include <stdint.h>

#include "stress/lane.h"
#include "stress/replay.h"
#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

struct replay_slot {
    /* ATOMIC step, the next step of the block; the lane whose turn it is owns
     * `block`
     *   ST.S1 done  store  release  pairs ST.S2  the block as we leave it
     *   ST.S2 turn  load   acquire  pairs ST.S1  before we touch it */
    sync_u32 step;
    uint32_t reserved;
    struct stress_block block;
};

struct replay_lane {
    /* ATOMIC position, pass * operations + index of the lane's next operation
     *   ST.P1 advance  store  release  pairs ST.P2  all before is done
     *   ST.P2 look     load   acquire  pairs ST.P1  so (R3), (R4) hold */
    sync_u64 position;
    uint64_t limit; /* positions below this may begin */
} __attribute__((aligned(128)));

struct replay_shared {
    const struct replay_plan *plan;
    struct replay_slot *slot; /* [blocks] */
    struct replay_lane lane[REPLAY_LANES_MAX];

    /* ATOMIC stopping, nonzero when a lane has left its sequence
     *   ST.E1 leave  store  relaxed  a request
     *   ST.E2 look   load   relaxed  a request; ST.E3 orders */
    sync_u32 stopping __attribute__((aligned(128)));
    /* ATOMIC left, how many lanes have
     *   ST.E3 count  fetch_add  acq_rel  pairs ST.E3 ST.E4  slots
     *   ST.E4 look   load       acquire  pairs ST.E3  before clearing */
    sync_u32 left;
    /* ATOMIC live_bytes, counted when canaries are on
     *   ST.L1 change  fetch_add  relaxed  a count; positions order events
     * ATOMIC peak_bytes
     *   ST.L2 look    load  relaxed  a count
     *   ST.L3 raise   cas   relaxed  a count */
    sync_u64 live_bytes;
    sync_u64 peak_bytes;
};

/* After a run with canaries: the most bytes that were live at once. */
uint64_t replay_peak_seen(const struct stress_run *run);
/* Complete passes of the slowest lane. */
uint64_t replay_passes(const struct stress_run *run);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_WORKLOAD_TRACE_H_ */
