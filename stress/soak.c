/* soak: keeps one load up, with a canary in every block, until it is stopped or
 * something breaks.  `soak --help` says the rest. */

#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stress/cell.h"
#include "stress/files.h"
#include "stress/replay.h"
#include "stress/trace/trace.h"
#include "stress/workload.h"

struct arguments {
    bool locked;
    const char *workload;
    const char *trace;
    uint32_t threads;
    double seconds;
    uint64_t seed, operations;
    uint32_t faults;
    bool has_seed;
};

enum { KEY_SEED = 256, KEY_OPERATIONS, KEY_TRACE };

static const struct argp_option options[] = {
    {"variant", 'v', "lock-free|locked", 0, "Default lock-free", 0},
    {"workload", 'w', "NAME", 0,
     "mix, hand-off (the default), ring, larson, churn, pair, gateway, "
     "thread-churn, fork-storm, signal-storm or trace",
     0},
    {"trace", KEY_TRACE, "NAME or FILE", 0, "For --workload trace", 0},
    {"threads", 't', "N", 0, "Default 4; a trace has its own, at most 16", 0},
    {"seconds", 's', "S", 0, "Stop after so long; default: never", 0},
    {"operations", KEY_OPERATIONS, "N", 0, "Stop after so many, in all", 0},
    {"seed", KEY_SEED, "N", 0, "Default: from the clock, and printed", 0},
    {"faults", 'f', "N", 0,
     "About one in N requests to the operating system fails", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static double number_of(struct argp_state *state, const char *text,
                        const char *what, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != 0 || !(value >= least && value <= most)) {
        argp_error(state, "%s is \"%s\": a number from %g to %g is wanted",
                   what, text, least, most);
    }
    return value;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    struct arguments *a = (struct arguments *)state->input;
    switch (key) {
        case 'v':
            a->locked = strcmp(value, "locked") == 0;
            if (!a->locked && strcmp(value, "lock-free") != 0) {
                argp_error(state,
                           "--variant is \"%s\": lock-free or locked is wanted",
                           value);
            }
            return 0;
        case 'w':
            a->workload = value;
            return 0;
        case KEY_TRACE:
            a->trace = value;
            return 0;
        case 't':
            a->threads = (uint32_t)number_of(state, value, "--threads", 1,
                                             STRESS_LANES_MAX);
            return 0;
        case 's':
            a->seconds = number_of(state, value, "--seconds", 0, 1e9);
            return 0;
        case KEY_OPERATIONS:
            a->operations =
                (uint64_t)number_of(state, value, "--operations", 0, 9e15);
            return 0;
        case KEY_SEED:
            a->seed = (uint64_t)number_of(state, value, "--seed", 0, 9e15);
            a->has_seed = true;
            return 0;
        case 'f':
            a->faults = (uint32_t)number_of(state, value, "--faults", 1, 4e9);
            return 0;
        case ARGP_KEY_ARG:
            argp_error(state, "what is \"%s\"?", value);
            return 0;
        default:
            return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    NULL,
    "Allocates and frees with canaries in every block until it is stopped "
    "(Ctrl-C) or something breaks; then it prints the seed, the block and both "
    "of its owners.\v"
    "Exit status: 0 when all held, 1 when blocks were lost or it could not "
    "run, "
    "2 for a wrong option, 3 when a canary was broken.",
    NULL,
    NULL,
    NULL,
};

static struct stress_run run;
static struct stress_outcome outcome;

static void on_stop(int signal_number) {
    (void)signal_number;
    stress_run_stop(&run);
}

static void tick(struct stress_run *r, double elapsed, uint64_t operations) {
    static double shown_at;
    static uint64_t shown;
    (void)r;
    double period = isatty(1) ? 1 : 10;
    if (elapsed - shown_at < period) return;
    printf("%8.0f s  %llu operations, %.2f million a second\n", elapsed,
           (unsigned long long)operations,
           (double)(operations - shown) / (elapsed - shown_at) * 1e-6);
    fflush(stdout);
    shown_at = elapsed;
    shown = operations;
}

/* A name among the traces, or a file. */
static struct replay_plan *make_plan(const char *name, uint32_t threads) {
    static struct stress_trace_file traces[STRESS_TRACES_MAX];
    char path[STRESS_PATH_MAX], error[512];
    size_t count = stress_find_traces(traces, STRESS_TRACES_MAX);
    stress_callers_path(name, path, sizeof path);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(traces[i].name, name) == 0) {
            memcpy(path, traces[i].path, sizeof path);
        }
    }
    struct trace *trace;
    struct replay_plan *plan = NULL;
    if (trace_load(path, &trace, error, sizeof error) == 0) {
        plan = replay_plan_make(trace, threads, error, sizeof error);
        trace_free(trace);
    }
    if (plan == NULL) fprintf(stderr, "soak: trace %s: %s\n", name, error);
    return plan;
}

/* A replay ends when its busiest lane has done its share of `operations`: as
 * much more, when the lanes are uneven, as makes that share its part of a
 * pass. */
static uint64_t operations_for(const struct replay_plan *plan,
                               uint64_t operations) {
    uint32_t most = 0;
    for (uint32_t lane = 0; lane < plan->lanes; lane++) {
        uint32_t own = plan->lane_begin[lane + 1] - plan->lane_begin[lane];
        if (own > most) most = own;
    }
    return (uint64_t)((double)operations * most * plan->lanes /
                      plan->operations);
}

static bool choose_workload(const struct arguments *a) {
    run.workload = stress_workload_named(a->workload);
    if (run.workload == NULL) {
        fprintf(stderr, "soak: no workload is named %s\n", a->workload);
        return false;
    }
    if (a->locked && (run.workload->needs_fork || run.workload->needs_signal)) {
        fprintf(
            stderr,
            "soak: %s needs the lock-free variant: a lock that is held when "
            "the %s never comes free for it\n",
            a->workload,
            run.workload->needs_fork ? "child is forked"
                                     : "handler interrupts its thread");
        return false;
    }
    if (run.workload == &stress_workload_trace) {
        struct replay_plan *plan =
            make_plan(a->trace != NULL ? a->trace : "rsyslogd", 0);
        if (plan == NULL) return false;
        run.plan = plan;
        run.driver_bytes += plan->bytes;
        run.lanes = plan->lanes;
        run.operations = operations_for(plan, a->operations);
    }
    return true;
}

static int say_how_it_ended(const struct arguments *a, uint64_t faults) {
    const struct stress_outcome *o = &outcome;
    const struct stress_counters *c = &o->counters_final;
    uint64_t operations = 0;
    for (uint32_t i = 0; i < run.lanes; i++) {
        operations += run.lane[i].operations;
    }
    printf(
        "operations %llu, frees %llu, by another thread %llu (%.1f %%), "
        "canaries %llu, refused %llu",
        (unsigned long long)operations, (unsigned long long)o->frees,
        (unsigned long long)o->frees_elsewhere,
        o->frees > 0 ? 100.0 * (double)o->frees_elsewhere / (double)o->frees
                     : 0.0,
        (unsigned long long)o->checks, (unsigned long long)o->failed);
    if (a->faults > 0) {
        printf(" (faults %llu)", (unsigned long long)faults);
    }
    printf(", live at the end %llu, %.1f million a second, peak %.1f MiB\n",
           (unsigned long long)c->live_blocks,
           (double)o->operations / o->wall_seconds * 1e-6,
           (double)o->peak_rss_bytes / 1048576);
    if (o->allocations != o->frees) {
        printf("LOST: %llu allocated, %llu freed\n",
               (unsigned long long)o->allocations,
               (unsigned long long)o->frees);
        return 1;
    }
    if (!o->has_counters || c->live_blocks != 0) {
        printf("LOST: the pool counts %llu live blocks\n",
               (unsigned long long)c->live_blocks);
        return 1;
    }
    if (a->faults == 0 && o->failed > 0) {
        printf("REFUSED: %llu allocations, and memory was there\n",
               (unsigned long long)o->failed);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    struct arguments a = {0};
    a.workload = "hand-off";
    a.threads = 4;
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (!a.has_seed) a.seed = (uint64_t)time(NULL);
    run.lanes = a.threads;
    run.operations = a.operations;
    if (!choose_workload(&a)) return 2;
    run.subject =
        a.locked ? linn_locked_stress_subject() : linn_stress_subject();
    run.seed = a.seed;
    run.seconds = a.seconds;
    run.check = true;
    run.tick = tick;

    struct sigaction action = {0};
    action.sa_handler = on_stop;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    printf("soak: %s, %s, %u threads, seed %llu", run.subject->name, a.workload,
           run.lanes, (unsigned long long)a.seed);
    if (a.faults > 0) printf(", one request in %u fails", a.faults);
    printf("\n");
    fflush(stdout);
    if (a.faults > 0) (void)run.subject->faults(a.faults);
    bool good = stress_perform(&run, &outcome);
    uint64_t faults = a.faults > 0 ? run.subject->faults(0) : 0;
    if (!good) {
        fprintf(stderr, "soak: %s\n", run.error);
        return 1;
    }
    return say_how_it_ended(&a, faults);
}
