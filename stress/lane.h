#ifndef LINN_STRESS_LANE_H_
#define LINN_STRESS_LANE_H_

/* lane: one sequence of allocations and frees, and a run of several at once.
 *
 *     run ---+--- lane 0: thread --- alloc free alloc ...
 *            +--- lane 1: thread, then a fresh one, ...
 *            '--- main thread: WARM -> MEASURE -> STOP, and reads the clocks
 *
 * A workload is the body of a lane.  It asks stress_goes_on() after every few
 * operations and, when that says no, frees all it holds and returns.
 *
 * Three passes, never mixed, so that none disturbs another:
 *     STRESS_TIME      process CPU time and wall time over counted operations
 *     STRESS_LATENCY   the time-stamp counter around every single call
 *     STRESS_COUNT     counts only (a build with LINN_COUNT)
 *
 * An operation is one call: an alloc, a realloc or a free.  Time that a lane
 * waits for another (an empty ring, a block that is not there yet) is counted
 * apart and taken off the CPU time.
 *
 * With `check`, every block carries a canary at both ends that says whose it
 * is; the one who holds the block knows what it must be:
 *
 *     | owner's stamp : 32 | size : 32 | ^ CANARY    at 8-byte steps
 *     stamp = | thread : 10 | its how-manieth allocation : 22 |
 *
 * so a broken canary names both: who should have it, and who wrote it.  Without
 * it, the first and the last line of every block are written once.
 *
 * The driver's own memory comes from mmap and is populated before the start;
 * nothing in a measured stretch calls malloc but the workload.
 * Checked by: stress/workload_test.cc. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <x86intrin.h>

#include "stress/histogram.h"
#include "stress/random.h"
#include "stress/subject.h"
#include "sync/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    STRESS_LANES_MAX = 256,
    STRESS_BATCH = 64, /* operations between two looks at the phase */
    STRESS_THREAD_BITS = 10,
    STRESS_SEQUENCE_BITS = 22,
};

enum stress_pass { STRESS_TIME, STRESS_LATENCY, STRESS_COUNT };
enum stress_phase { STRESS_WARM, STRESS_MEASURE, STRESS_STOP };

/* A block as its holder knows it.  A value. */
struct stress_block {
    unsigned char *pointer; /* NULL: none */
    uint32_t size;
    uint32_t stamp;
};

struct stress_run;

struct stress_lane {
    const struct stress_subject *subject;
    struct stress_run *run;
    uint64_t random;
    uint32_t index;
    uint32_t thread; /* number of the thread that runs it now, mod 1024 */
    uint32_t sequence;
    bool checked; /* canaries */
    bool timed;   /* this operation goes into the histograms */

    /* The lane's own counts. */
    uint64_t operations;
    uint64_t allocations;
    uint64_t frees;
    uint64_t frees_elsewhere; /* of blocks that another thread allocated */
    uint64_t failed;          /* allocations that returned NULL */
    uint64_t checks;          /* canaries looked at */
    uint64_t waits;
    uint64_t wait_ns;
    uint64_t quota; /* operations to do; UINT64_MAX: as long as it takes */
    struct stress_histogram alloc_ticks;
    struct stress_histogram free_ticks;
    void *workload_data;

    /* ATOMIC operations_shown, written by the lane's thread, read by the main one
     *   SL.W1 show  store  relaxed  a count; orders nothing
     *   SL.R1 read  load   relaxed  a count; orders nothing
     * ATOMIC wait_ns_shown, the same
     *   SL.W2 show  store  relaxed  a count; orders nothing
     *   SL.R2 read  load   relaxed  a count; orders nothing */
    sync_u64 operations_shown __attribute__((aligned(128)));
    sync_u64 wait_ns_shown;
} __attribute__((aligned(128)));

struct stress_workload {
    const char *name;
    const char *what; /* one line for --list */
    uint32_t lanes_min;
    uint32_t lanes_step; /* the number of lanes is a multiple of this */
    bool needs_fork;     /* leaves children, or handlers: for soak alone, and */
    bool needs_signal;   /* not for a subject that locks */
    /* Makes what the lanes share, before the first one starts; false when it
     * cannot, with a message in run->error. */
    bool (*prepare)(struct stress_run *run);
    void (*body)(struct stress_lane *lane);
};

struct stress_run {
    const struct stress_subject *subject;
    const struct stress_workload *workload;
    uint32_t lanes;
    uint64_t seed;
    double warm_seconds, seconds;
    uint64_t operations; /* stop after so many in all; 0: by time */
    bool check;
    enum stress_pass pass;
    const void *plan; /* a struct replay_plan for the trace workload */
    void *shared;     /* the workload's own */
    /* Called about four times a second while the lanes run; may be NULL. */
    void (*tick)(struct stress_run *run, double elapsed, uint64_t operations);

    struct stress_lane *lane; /* [lanes] */
    uint64_t driver_bytes;    /* mapped by stress_map */
    char error[256];

    /* ATOMIC phase, an enum stress_phase, written by the main thread
     *   SL.W3 change  store  relaxed  a request; pthread_join orders the rest
     *   SL.R3 look    load   relaxed  a request; orders nothing */
    sync_u32 phase __attribute__((aligned(128)));
    /* ATOMIC stop_wanted, set by a signal handler
     *   SL.W4 ask   store  relaxed  a request; orders nothing
     *   SL.R4 look  load   relaxed  a request; orders nothing */
    sync_u32 stop_wanted;
    /* ATOMIC ended, how many lanes have
     *   SL.W5 end   fetch_add  relaxed  a count; pthread_join orders the rest
     *   SL.R5 look  load       relaxed  a count; orders nothing */
    sync_u32 ended;
};

/* What a run came to. */
struct stress_outcome {
    uint32_t lanes;
    uint64_t operations; /* in the measured stretch */
    double wall_seconds, cpu_seconds, wait_seconds;
    uint64_t waits;
    double ticks_per_ns;
    /* Over the whole run, with warm-up and clearing up. */
    uint64_t allocations, frees, frees_elsewhere, failed, checks;
    uint64_t peak_rss_bytes; /* without the driver's tables and file pages */
    uint64_t final_rss_bytes;
    bool has_counters;
    /* Around the measured stretch, and when all is freed. */
    struct stress_counters counters_before, counters_after, counters_final;
    struct stress_histogram alloc_ticks, free_ticks;
};

/* Runs the workload to its end.  False on failure, with run->error set.
 * `out` is large: not for a small stack. */
bool stress_perform(struct stress_run *run, struct stress_outcome *out);

/* Asks a run to end; for signal handlers. */
void stress_run_stop(struct stress_run *run);

/* Zeroed, populated memory that no malloc knows of; counted in the run; NULL,
 * with run->error, when there is none.  It is never given back. */
void *stress_map(struct stress_run *run, size_t bytes);

/* Whether the lane is to do another batch. */
bool stress_goes_on(struct stress_lane *lane);

/* Gives the lane to the calling thread, the how-manieth of the lane. */
void stress_lane_enter(struct stress_lane *lane, uint32_t generation);

/* Runs body(lane) in a fresh thread and waits for its end.  For workloads whose
 * threads are short. */
void stress_in_fresh_thread(struct stress_lane *lane, uint32_t generation,
                            void (*body)(struct stress_lane *));

/* Waiting for another lane: begin, any number of rounds (each gives the
 * processor away after a while), end. */
struct stress_wait {
    uint64_t begin_ns;
    uint32_t rounds;
};
struct stress_wait stress_wait_begin(struct stress_lane *lane);
void stress_wait_round(struct stress_wait *wait);
void stress_wait_end(struct stress_lane *lane, const struct stress_wait *wait);

/* Stops the program, exit code 3: says what was broken, with the seed, the
 * block and both owners. */
void stress_broken(const struct stress_lane *lane,
                   const struct stress_block *block, const char *what,
                   uint64_t found, size_t offset) __attribute__((noreturn));

enum { STRESS_EXIT_BROKEN = 3 };

#define STRESS_UNLIKELY(x) __builtin_expect(!!(x), 0)

static inline uint64_t stress_ticks(void) {
    unsigned aux;
    return __rdtscp(&aux);
}

#define STRESS_CANARY     UINT64_C(0x6c696e6e5fa5c35a)
#define STRESS_CANARY_END 64u /* bytes filled at either end */

static inline uint64_t stress_canary_of(const struct stress_block *b) {
    return ((uint64_t)b->stamp << 32 | b->size) ^ STRESS_CANARY;
}

void stress_canary_write(struct stress_lane *lane,
                         const struct stress_block *block);
/* The first `size` bytes of the block alone: what a realloc must keep. */
void stress_canary_check(struct stress_lane *lane,
                         const struct stress_block *block);
void stress_canary_check_kept(struct stress_lane *lane,
                              const struct stress_block *block,
                              unsigned char *now_at, uint32_t size);

/* Writes to the first and the last line. */
static inline void stress_touch(const struct stress_block *b) {
    if (b->size == 0) return;
    b->pointer[0] = (unsigned char)b->stamp;
    b->pointer[b->size - 1] = (unsigned char)b->stamp;
}

static inline struct stress_block stress_alloc(struct stress_lane *lane,
                                               uint32_t size) {
    struct stress_block b;
    if (STRESS_UNLIKELY(lane->timed)) {
        uint64_t begin = stress_ticks();
        b.pointer = (unsigned char *)lane->subject->alloc(size);
        stress_histogram_add(&lane->alloc_ticks, stress_ticks() - begin);
    } else {
        b.pointer = (unsigned char *)lane->subject->alloc(size);
    }
    b.size = size;
    b.stamp = lane->thread << STRESS_SEQUENCE_BITS |
              (lane->sequence++ & ((1u << STRESS_SEQUENCE_BITS) - 1));
    lane->operations++;
    if (STRESS_UNLIKELY(b.pointer == NULL)) {
        lane->failed++;
        return b;
    }
    lane->allocations++;
    if (STRESS_UNLIKELY(lane->checked)) {
        stress_canary_write(lane, &b);
    } else {
        stress_touch(&b);
    }
    return b;
}

/* A block without pointer is left alone. */
static inline void stress_free(struct stress_lane *lane,
                               const struct stress_block *b) {
    if (STRESS_UNLIKELY(b->pointer == NULL)) return;
    if (STRESS_UNLIKELY(lane->checked)) stress_canary_check(lane, b);
    lane->operations++;
    lane->frees++;
    lane->frees_elsewhere += b->stamp >> STRESS_SEQUENCE_BITS != lane->thread;
    if (STRESS_UNLIKELY(lane->timed)) {
        uint64_t begin = stress_ticks();
        lane->subject->free(b->pointer);
        stress_histogram_add(&lane->free_ticks, stress_ticks() - begin);
    } else {
        lane->subject->free(b->pointer);
    }
}

/* The block with another size, by the subject's realloc; unchanged on failure.
 * Its latency is counted with the allocs. */
struct stress_block stress_realloc(struct stress_lane *lane,
                                   struct stress_block block, uint32_t size);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_LANE_H_ */
