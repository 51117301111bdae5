#ifndef LINN_STRESS_CONTEST_H_
#define LINN_STRESS_CONTEST_H_

/* contest: who is compared on what, and what came of it.
 *
 *                 contestant 0   contestant 1   ...
 *     load 0        row            row              row = samples of one
 *     load 1        row            row              (load, contestant)
 *
 * compare fills the rows in rounds; a round has each cell once, in random order.
 * The first round holds the cells of the latency and of the counting pass too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stress/files.h"
#include "stress/lane.h"
#include "stress/machine.h"
#include "stress/replay.h"
#include "stress/statistics.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CONTEST_CONTESTANTS_MAX = 24,
    CONTEST_LOADS_MAX = 128,
    CONTEST_ROUNDS_MAX = 64,
};

enum contest_side { CONTEST_OURS, CONTEST_LOCKED, CONTEST_PEER };

struct contestant {
    char name[48];
    enum contest_side side;
    const char *cell; /* the program, from the top of the tree */
    /* The same built with LINN_COUNT, or NULL.  The twin has none: its locks are
     * not made of sync/atomic.h's words, so its count would be short. */
    const char *counted_cell;
    char library[STRESS_PATH_MAX]; /* file or soname of a peer; "" for none */
    const char *lock;              /* LINN_LOCK, or NULL */
    char missing[256];             /* why it is not measured; "" if it is */
};

struct contest_load {
    char name[64]; /* "mix", or the trace's name */
    const struct stress_workload *workload;
    uint32_t threads; /* asked for; the outcome says how many there were */
    const char *trace_path;
    int plan_fd; /* -1: no trace */
};

struct contest_row {
    uint32_t threads;
    size_t samples;
    double ns_per_operation[CONTEST_ROUNDS_MAX];
    double operations_per_second[CONTEST_ROUNDS_MAX]; /* by the wall clock */
    double peak_rss[CONTEST_ROUNDS_MAX];
    double final_rss[CONTEST_ROUNDS_MAX];
    double waits_per_1000[CONTEST_ROUNDS_MAX];
    uint64_t failed_allocations;

    bool has_latency;
    double clock_ns;                            /* of one look at the clock */
    double call_ns[4], alloc_ns[4], free_ns[4]; /* p50 p99 p99.9 max */

    bool has_counts;
    double locked_per_operation;
    double retries_per_operation;

    char failure[2048]; /* "" unless a cell failed */
};

struct contest {
    struct contestant contestant[CONTEST_CONTESTANTS_MAX];
    size_t contestants;
    struct contest_load load[CONTEST_LOADS_MAX];
    size_t loads;
    struct contest_row *row; /* [loads][contestants] */
    struct stress_machine machine;

    int rounds;
    double seconds, warm_seconds, latency_seconds, count_seconds;
    uint64_t seed;
    bool check;

    size_t cells, cells_done;
    bool interrupted;
    bool broken; /* a canary */
};

static inline struct contest_row *contest_row_at(const struct contest *c,
                                                 size_t load,
                                                 size_t contestant) {
    return &c->row[load * c->contestants + contestant];
}

/* What the table and the files say of a row, computed once for all of them. */
struct contest_verdict {
    struct stress_summary ns, rate, peak, final;
    double to_best_locked; /* own median / best locked one; 0: there is none */
    double to_best_peer;
};
struct contest_verdict contest_verdict_of(const struct contest *contest,
                                          size_t load, size_t contestant);

/* The three forms of the result.  The file writers return false, with errno,
 * when the file cannot be written. */
void contest_print(const struct contest *contest);
bool contest_write_csv(const struct contest *contest, const char *path);
bool contest_write_json(const struct contest *contest, const char *path);

#ifdef __cplusplus
}
#endif

#endif /* LINN_STRESS_CONTEST_H_ */
