/* This file's own words must not pass the point that it implements. */
#undef LINN_CHAOS
#undef LINN_COUNT
#define LINN_CHAOS 0
#define LINN_COUNT 0

#include "sync/chaos.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "sync/atomic.h"

/* ATOMIC process_seed, 0 until drawn, and threads_seen
 *   XC.H1 seed   load   relaxed  the number is its whole meaning
 *   XC.N1 draw   cas    relaxed  the first one to come draws
 *   XC.T1 order  add    relaxed  each thread has a number of its own */
static sync_u64 process_seed;
static sync_u64 threads_seen;

static __thread struct {
    uint64_t state; /* 0 before the first point */
    uint64_t points, yields;
} me __attribute__((tls_model("initial-exec")));

/* Spreads every bit of a number over all: neighbours become strangers. */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void print_seed(uint64_t seed) {
    char line[64];
    int length = snprintf(line, sizeof line, "LINN_CHAOS_SEED=%llu\n",
                          (unsigned long long)seed);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

uint64_t linn_chaos_seed(void) {
    uint64_t seen = sync_u64_load_relaxed(&process_seed); /* XC.H1 */
    if (seen != 0) return seen;
    const char *given = getenv("LINN_CHAOS_SEED");
    uint64_t seed;
    if (given != NULL) {
        seed = strtoull(given, NULL, 10);
    } else {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        seed = mix((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
    }
    if (seed == 0) seed = 1;
    /* XC.N1 relaxed: one draw for the process, printed by who made it. */
    if (!sync_u64_cas_relaxed_relaxed(&process_seed, &seen, seed)) return seen;
    print_seed(seed);
    return seed;
}

void linn_chaos_point(void) {
    uint64_t x = me.state;
    if (__builtin_expect(x == 0, 0)) {
        /* XC.T1 relaxed: only distinct. */
        uint64_t order = sync_u64_fetch_add_relaxed(&threads_seen, 1);
        x = mix(linn_chaos_seed() + order * UINT64_C(0x9e3779b97f4a7c15)) | 1;
    }
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    me.state = x;
    me.points++;
    if (x >> 60 == 0) { /* one in sixteen */
        me.yields++;
        sched_yield();
    }
}

uint64_t linn_chaos_points(void) {
    return me.points;
}

uint64_t linn_chaos_yields(void) {
    return me.yields;
}
