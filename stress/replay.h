#ifndef LINN_STRESS_REPLAY_H_
#define LINN_STRESS_REPLAY_H_

/* replay: a recorded trace as work for lanes.
 *
 * A plan is one flat piece of memory without pointers, so that compare makes it
 * once and every cell maps it:
 *
 *     | header | operations, lane by lane | limits |
 *
 * What a replay keeps of the recording:
 *     (R1)  each lane does its operations in the recorded order
 *     (R2)  an operation on a block comes after the recorded operation before it
 *           on that block, whichever lane that was: step k waits for step k - 1
 *     (R3)  live bytes never exceed the recording's peak, and reach it
 *     (R4)  at the end of a pass nothing is live: what the recording left
 *           behind is freed by the lane that had it last; and no operation of
 *           the next pass begins before
 *
 * (R3) is kept by a limit: while event m is the earliest that is not done, only
 * events before limit(m) may begin, and m itself always may.  With L(m) the live
 * bytes before event m and G(m, i) what the events m .. i - 1 allocate,
 *
 *     limit(m) = the largest i with L(m) + G(m, i) <= peak, at most m + WINDOW,
 *                and not beyond the event that reaches the peak before it is
 *                done.
 *
 * Whatever subset of m .. limit(m) is done, its frees left aside, live is then at
 * most peak; the earliest event always may go on, so nothing stands still; and
 * when the peak's event is the last one done, live is the peak.  WINDOW keeps
 * lanes about as close together as the threads were.  Limits are kept for each
 * 32nd m and rounded down.
 *
 * Threads beyond the number of lanes (at most 16) are folded: thread t becomes
 * part of lane t mod lanes, in the recorded order.  A calloc is replayed as an
 * alloc, an aligned request as an alloc of the same size; a size of 0 stays 0.
 * Checked by: stress/replay_test.cc. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    REPLAY_LANES_MAX = 16,
    REPLAY_WINDOW = 4096,
    REPLAY_LIMIT_STRIDE = 32,
    REPLAY_ALLOC = 0,
    REPLAY_REALLOC = 1,
    REPLAY_FREE = 2,
};

struct trace;

/* A value. */
struct replay_operation {
    uint32_t block;
    uint32_t size;
    uint32_t index;     /* place in the recorded order */
    uint32_t kind_step; /* kind in the low 2 bits, step in the others */
};

struct replay_plan {
    uint64_t bytes; /* of all of it */
    uint32_t operations;
    uint32_t blocks;
    uint32_t lanes;
    uint32_t limits;
    uint64_t peak_live_bytes;
    uint32_t peak_index; /* the event that first reaches it */
    uint32_t reserved;
    uint32_t lane_begin[REPLAY_LANES_MAX + 1]; /* into the operations */
    uint32_t reserved_too;
    /* then: operations, limits */
};

/* Makes a plan in memory from mmap.  NULL on failure, with one line in error.
 * lanes 0 or more than there are threads means one for each thread. */
struct replay_plan *replay_plan_make(const struct trace *trace, uint32_t lanes,
                                     char *error, size_t error_size);
void replay_plan_free(struct replay_plan *plan);

const struct replay_operation *replay_operations(const struct replay_plan *p);
const uint32_t *replay_limits(const struct replay_plan *p);
uint32_t replay_limits_for(uint64_t operations);
uint64_t replay_plan_bytes(uint64_t operations);

/* Whether a plan is what replay_plan_make makes, as far as a cell relies on it:
 * sizes and indexes. */
bool replay_plan_is_valid(const struct replay_plan *plan, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_REPLAY_H_ */
