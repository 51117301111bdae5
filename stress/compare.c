/* compare: linn, its locked twin and the allocators found here, side by side on
 * recorded traffic and on synthetic loads.  `compare --help` says the rest. */

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stress/cell_run.h"
#include "stress/contest.h"
#include "stress/replay.h"
#include "stress/trace/trace.h"
#include "stress/workload.h"

enum {
    WORDS_MAX = 64, /* of a list given on the command line */
    THREADS_MAX = 16,
    BUDGET_SECONDS = 105, /* of a default run, so that it ends within 120 */
};

/* What starting a cell costs beside what it measures. */
static const double cell_overhead = 0.06, trace_overhead = 0.25;

struct arguments {
    const char *json, *csv;
    const char *workload[WORDS_MAX];
    size_t workloads;
    const char *subject[WORDS_MAX];
    size_t subjects;
    uint32_t threads[THREADS_MAX];
    size_t thread_counts;
    double seconds;
    int rounds;
    uint64_t seed;
    bool full, list, plan, check, quiet, all_locks;
};

static struct contest contest;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static bool is_interrupted(void) {
    return interrupted != 0;
}

/* ---- The command line ---- */

enum { KEY_FULL = 256, KEY_LOCKS, KEY_CHECK, KEY_SEED, KEY_PLAN };

static const struct argp_option options[] = {
    {"workload", 'w', "NAME[,NAME]", 0,
     "Only these; a trace by its name, \"trace\" for all of them", 0},
    {"threads", 't', "N[,N]", 0,
     "Numbers of threads, default 2 (larson 16); a trace has its own, at most "
     "16, and is folded onto N if that is fewer",
     0},
    {"seconds", 's', "S", 0, "Length of a cell", 0},
    {"repetitions", 'r', "N", 0, "Rounds, default 3 (5 with --full)", 0},
    {"subject", 'u', "NAME or NAME=FILE", 0,
     "Only these names of --list; FILE is a shared object of yours that "
     "defines "
     "subject_alloc, subject_free, subject_realloc and subject_usable_size, or "
     "malloc, free, realloc and malloc_usable_size.  Repeatable",
     0},
    {"locks", KEY_LOCKS, "mutex|all", 0,
     "The locked twin with its default lock, or with each of its locks", 0},
    {"json", 'j', "FILE", 0, "Write the result as JSON", 0},
    {"csv", 'c', "FILE", 0, "Write the result as CSV", 0},
    {"full", KEY_FULL, NULL, 0,
     "All traces and loads at 1, 2, 16 and 64 threads; says how long first", 0},
    {"check", KEY_CHECK, NULL, 0,
     "Canaries in every block: correctness, not times", 0},
    {"seed", KEY_SEED, "N", 0, "Default 1", 0},
    {"list", 'l', NULL, 0, "Say what there is to measure, and stop", 0},
    {"plan", KEY_PLAN, NULL, 0,
     "Say how many cells there would be and how long they take, and stop", 0},
    {"quiet", 'q', NULL, 0, "No progress on the terminal", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

/* Splits at commas, in place: the words stay parts of the command line. */
static void split(struct argp_state *state, char *text, const char **words,
                  size_t *count) {
    char *word;
    while ((word = strsep(&text, ",")) != NULL) {
        if (*count == WORDS_MAX) argp_error(state, "too many names");
        words[(*count)++] = word;
    }
}

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
    const char *words[WORDS_MAX];
    size_t count = 0;
    switch (key) {
        case 'w':
            split(state, value, a->workload, &a->workloads);
            return 0;
        case 't':
            split(state, value, words, &count);
            for (size_t i = 0; i < count; i++) {
                if (a->thread_counts == THREADS_MAX) {
                    argp_error(state, "too many numbers of threads");
                }
                a->threads[a->thread_counts++] = (uint32_t)number_of(
                    state, words[i], "--threads", 1, STRESS_LANES_MAX);
            }
            return 0;
        case 's':
            a->seconds = number_of(state, value, "--seconds", 0.01, 3600);
            return 0;
        case 'r':
            a->rounds = (int)number_of(state, value, "--repetitions", 1,
                                       CONTEST_ROUNDS_MAX);
            return 0;
        case 'u':
            if (a->subjects == WORDS_MAX) argp_error(state, "too many");
            a->subject[a->subjects++] = value;
            return 0;
        case KEY_LOCKS:
            a->all_locks = strcmp(value, "all") == 0;
            if (!a->all_locks && strcmp(value, "mutex") != 0) {
                argp_error(state, "--locks is \"%s\": mutex or all is wanted",
                           value);
            }
            return 0;
        case 'j':
            a->json = value;
            return 0;
        case 'c':
            a->csv = value;
            return 0;
        case KEY_FULL:
            a->full = true;
            return 0;
        case KEY_CHECK:
            a->check = true;
            return 0;
        case KEY_SEED:
            a->seed = (uint64_t)number_of(state, value, "--seed", 0, 9e15);
            return 0;
        case 'l':
            a->list = true;
            return 0;
        case KEY_PLAN:
            a->plan = true;
            return 0;
        case 'q':
            a->quiet = true;
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
    "Runs linn, its locked twin, glibc and each of jemalloc, mimalloc and "
    "tcmalloc found on this machine on the same loads, each cell in a fresh "
    "process, in random order, and prints one table for each load.\v"
    "Exit status: 0, or 1 when a cell failed, 3 when a canary was broken, 130 "
    "when interrupted (what is done so far is printed).",
    NULL,
    NULL,
    NULL,
};

/* ---- Contestants ---- */

enum { PEER_SONAMES_MAX = 2 };

/* The newest soname first.  Debian 12 and 13 do not call the packages the same;
 * build_defs/packages.debian has both names. */
struct peer {
    const char *name;
    const char *soname[PEER_SONAMES_MAX];
    const char *packages;
};

static const struct peer peers[] = {
    {"jemalloc", {"libjemalloc.so.2", NULL}, "libjemalloc2"},
    {"mimalloc",
     {"libmimalloc.so.3", "libmimalloc.so.2"},
     "libmimalloc3, or libmimalloc2.0 on Debian 12"},
    {"tcmalloc",
     {"libtcmalloc_minimal.so.4", NULL},
     "libtcmalloc-minimal4t64, or libtcmalloc-minimal4 on Debian 12"},
};

static const char *const locks[] = {"fas", "ticket", "mcs", "clh", "rwlock"};

static bool is_wanted(const struct arguments *a, const char *name) {
    bool any = false;
    for (size_t i = 0; i < a->subjects; i++) {
        if (strchr(a->subject[i], '=') != NULL) continue;
        any = true;
        if (strcmp(a->subject[i], name) == 0) return true;
    }
    return !any;
}

static struct contestant *add_contestant(const char *name,
                                         enum contest_side side,
                                         const char *cell) {
    if (contest.contestants == CONTEST_CONTESTANTS_MAX) return NULL;
    struct contestant *c = &contest.contestant[contest.contestants++];
    snprintf(c->name, sizeof c->name, "%s", name);
    c->side = side;
    c->cell = cell;
    return c;
}

/* Whether the cell can be run and finds its subject. */
static enum cell_status probe(const struct contestant *c, char *text,
                              size_t text_size) {
    char program[STRESS_PATH_MAX];
    static struct stress_outcome nothing;
    if (!stress_find_file(c->cell, program, sizeof program)) {
        snprintf(text, text_size, "%s was not built", c->cell);
        return CELL_FAILED;
    }
    struct cell_request r = {0};
    r.program = program;
    r.subject = c->name;
    r.library = c->library;
    r.probe = true;
    r.plan_fd = -1;
    return cell_run(&r, &nothing, text, text_size);
}

/* False with c->missing set if it cannot be measured. */
static bool look_for(struct contestant *c) {
    char text[1024];
    c->missing[0] = 0;
    if (probe(c, text, sizeof text) == CELL_MEASURED) return true;
    snprintf(c->missing, sizeof c->missing, "%.*s", (int)strcspn(text, "\n"),
             text);
    return false;
}

static void look_for_peer(struct contestant *c, const struct peer *peer) {
#ifdef LINN_SANITIZED
    /* A peer brings a malloc, and so does the sanitizer. */
    (void)peer;
    snprintf(c->missing, sizeof c->missing, "not beside a sanitizer");
#else
    for (size_t i = 0; i < PEER_SONAMES_MAX && peer->soname[i] != NULL; i++) {
        snprintf(c->library, sizeof c->library, "%s", peer->soname[i]);
        if (look_for(c)) return;
    }
    const char *other = peer->soname[1];
    snprintf(c->missing, sizeof c->missing,
             "no %s%s%s that can be loaded (apt-get install %s)",
             peer->soname[0], other != NULL ? " or " : "",
             other != NULL ? other : "", peer->packages);
#endif
}

static void gather_ours(const struct arguments *a) {
    if (is_wanted(a, "linn")) {
        struct contestant *c =
            add_contestant("linn", CONTEST_OURS, "stress/cell_linn");
        c->counted_cell = "stress/cell_linn_counted";
    }
    if (is_wanted(a, "linn-locked")) {
        add_contestant("linn-locked", CONTEST_LOCKED, "stress/cell_locked");
    }
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
        char name[48];
        snprintf(name, sizeof name, "linn-%s", locks[i]);
        bool by_name = a->subjects > 0 && is_wanted(a, name);
        if (!a->all_locks && !by_name) continue;
        if (!is_wanted(a, name) && !is_wanted(a, "linn-locked")) continue;
        struct contestant *c =
            add_contestant(name, CONTEST_LOCKED, "stress/cell_locked");
        c->lock = locks[i];
    }
}

static void gather_peers(const struct arguments *a) {
    if (is_wanted(a, "glibc")) {
        add_contestant("glibc", CONTEST_PEER, "stress/cell_peer");
    }
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        if (!is_wanted(a, peers[i].name)) continue;
        struct contestant *c =
            add_contestant(peers[i].name, CONTEST_PEER, "stress/cell_peer");
        look_for_peer(c, &peers[i]);
    }
}

/* NAME=FILE.  False when it cannot be used: that is the user's mistake, not a
 * gap. */
static bool gather_given(const struct arguments *a) {
    for (size_t i = 0; i < a->subjects; i++) {
        const char *equals = strchr(a->subject[i], '=');
        char name[48];
        if (equals == NULL) continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - a->subject[i]),
                 a->subject[i]);
        struct contestant *c =
            add_contestant(name, CONTEST_PEER, "stress/cell_peer");
        if (c == NULL) {
            fprintf(stderr, "compare: too many subjects\n");
            return false;
        }
        stress_callers_path(equals + 1, c->library, sizeof c->library);
        if (!look_for(c)) {
            fprintf(stderr, "compare: --subject %s: %s\n", a->subject[i],
                    c->missing);
            return false;
        }
    }
    return true;
}

static bool gather_contestants(const struct arguments *a) {
    gather_ours(a);
    gather_peers(a);
    if (!gather_given(a)) return false;
    for (size_t i = 0; i < a->subjects; i++) {
        bool found = strchr(a->subject[i], '=') != NULL;
        for (size_t k = 0; k < contest.contestants; k++) {
            found |= strcmp(contest.contestant[k].name, a->subject[i]) == 0;
        }
        if (!found) {
            fprintf(stderr, "compare: no subject is named %s (see --list)\n",
                    a->subject[i]);
            return false;
        }
    }
    return true;
}

/* ---- Loads ---- */

static struct stress_trace_file traces[STRESS_TRACES_MAX];
static size_t trace_files;

static const struct stress_trace_file *trace_named(const char *name) {
    for (size_t i = 0; i < trace_files; i++) {
        if (strcmp(traces[i].name, name) == 0) return &traces[i];
    }
    return NULL;
}

static void add_load(const char *name, const struct stress_workload *workload,
                     uint32_t threads, const char *trace_path) {
    if (contest.loads == CONTEST_LOADS_MAX) return;
    if (trace_path == NULL) {
        if (threads < workload->lanes_min) threads = workload->lanes_min;
        threads -= threads % workload->lanes_step;
    }
    for (size_t i = 0; i < contest.loads; i++) {
        const struct contest_load *l = &contest.load[i];
        if (strcmp(l->name, name) == 0 && l->threads == threads) return;
    }
    struct contest_load *l = &contest.load[contest.loads++];
    snprintf(l->name, sizeof l->name, "%s", name);
    l->workload = workload;
    l->threads = threads;
    l->trace_path = trace_path;
    l->plan_fd = -1;
}

static void add_trace(const struct arguments *a,
                      const struct stress_trace_file *trace) {
    uint32_t most = 0;
    for (size_t i = 0; i < a->thread_counts; i++) {
        if (a->threads[i] > most) most = a->threads[i];
    }
    add_load(trace->name, &stress_workload_trace, most, trace->path);
}

static void add_synthetic(const struct arguments *a, const char *name) {
    const struct stress_workload *w = stress_workload_named(name);
    static const uint32_t full[] = {1, 2, 16, 64};
    if (a->thread_counts > 0) {
        for (size_t i = 0; i < a->thread_counts; i++) {
            add_load(name, w, a->threads[i], NULL);
        }
    } else if (a->full) {
        for (size_t i = 0; i < 4; i++) {
            add_load(name, w, full[i], NULL);
        }
    } else {
        add_load(name, w, w == &stress_workload_larson ? 16 : 2, NULL);
    }
}

static bool is_for_compare(const struct stress_workload *w) {
    return !w->needs_fork && !w->needs_signal && w != &stress_workload_trace;
}

static bool add_named(const struct arguments *a, const char *name) {
    if (strcmp(name, "trace") == 0) {
        for (size_t i = 0; i < trace_files; i++) {
            add_trace(a, &traces[i]);
        }
        return trace_files > 0;
    }
    const struct stress_trace_file *trace = trace_named(name);
    if (trace != NULL) {
        add_trace(a, trace);
        return true;
    }
    const struct stress_workload *w = stress_workload_named(name);
    if (w == NULL || !is_for_compare(w)) return false;
    add_synthetic(a, name);
    return true;
}

static void add_defaults(const struct arguments *a) {
    static const char *const chosen[] = {"rsyslogd", "redis", "mix", "ring",
                                         "larson"};
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
        if (!add_named(a, chosen[i])) {
            fprintf(stderr, "compare: the trace %s is not there\n", chosen[i]);
        }
    }
}

static bool gather_loads(const struct arguments *a) {
    trace_files = stress_find_traces(traces, STRESS_TRACES_MAX);
    for (size_t i = 0; i < a->workloads; i++) {
        if (!add_named(a, a->workload[i])) {
            fprintf(stderr, "compare: no workload is named %s (see --list)\n",
                    a->workload[i]);
            return false;
        }
    }
    if (a->workloads == 0 && a->full) {
        (void)add_named(a, "trace");
        for (size_t i = 0; stress_workloads[i] != NULL; i++) {
            if (is_for_compare(stress_workloads[i])) {
                add_synthetic(a, stress_workloads[i]->name);
            }
        }
    } else if (a->workloads == 0) {
        add_defaults(a);
    }
    return contest.loads > 0;
}

/* A plan goes into a memfd, which the cells map. */
static bool write_plan(struct contest_load *l, const struct replay_plan *plan) {
    l->plan_fd = memfd_create("stress-plan", MFD_CLOEXEC);
    if (l->plan_fd < 0) return false;
    const char *from = (const char *)plan;
    for (size_t done = 0; done < plan->bytes;) {
        ssize_t n = write(l->plan_fd, from + done, plan->bytes - done);
        if (n < 0 && errno != EINTR) return false;
        if (n > 0) done += (size_t)n;
    }
    return true;
}

static bool load_trace(struct contest_load *l) {
    char error[512];
    struct trace *trace;
    if (trace_load(l->trace_path, &trace, error, sizeof error) != 0) {
        if (!interrupted)
            fprintf(stderr, "compare: trace %s: %s\n", l->name, error);
        return false;
    }
    struct replay_plan *plan =
        replay_plan_make(trace, l->threads, error, sizeof error);
    bool good = plan != NULL && write_plan(l, plan);
    if (plan == NULL) {
        fprintf(stderr, "compare: trace %s: %s\n", l->name, error);
    } else if (!good) {
        fprintf(stderr, "compare: trace %s: %s\n", l->name, strerror(errno));
    } else {
        l->threads = plan->lanes;
    }
    replay_plan_free(plan);
    trace_free(trace);
    return good;
}

/* ---- Cells ---- */

struct cell {
    size_t load, contestant;
    enum stress_pass pass;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds_of_cell(const struct cell *c) {
    double measured = c->pass == STRESS_TIME      ? contest.seconds
                      : c->pass == STRESS_LATENCY ? contest.latency_seconds
                                                  : contest.count_seconds;
    double overhead = cell_overhead;
    if (contest.load[c->load].trace_path != NULL) overhead += trace_overhead;
    return measured + contest.warm_seconds + overhead;
}

static double seconds_of_cells(const struct cell *cells, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += seconds_of_cell(&cells[i]);
    }
    return sum;
}

static bool is_counted(const struct contestant *c) {
    char program[STRESS_PATH_MAX];
    return c->counted_cell != NULL &&
           stress_find_file(c->counted_cell, program, sizeof program);
}

/* The cells of one round, in random order. */
static size_t make_round(int round, uint64_t *random, struct cell *cells) {
    size_t n = 0;
    for (size_t l = 0; l < contest.loads; l++) {
        for (size_t i = 0; i < contest.contestants; i++) {
            if (contest.contestant[i].missing[0] != 0) continue;
            struct cell c = {l, i, STRESS_TIME};
            cells[n++] = c;
            if (round > 0 || contest.check) continue;
            c.pass = STRESS_LATENCY;
            cells[n++] = c;
            if (!is_counted(&contest.contestant[i])) continue;
            c.pass = STRESS_COUNT;
            cells[n++] = c;
        }
    }
    for (size_t i = n; i > 1; i--) {
        size_t k = stress_random_below(random, (uint32_t)i);
        struct cell swapped = cells[i - 1];
        cells[i - 1] = cells[k];
        cells[k] = swapped;
    }
    return n;
}

static void note_time(struct contest_row *r, const struct stress_outcome *o) {
    size_t n = r->samples;
    if (n == CONTEST_ROUNDS_MAX || o->operations == 0) return;
    double operations = (double)o->operations;
    r->ns_per_operation[n] = o->cpu_seconds * 1e9 / operations;
    r->operations_per_second[n] = operations / o->wall_seconds;
    r->peak_rss[n] = (double)o->peak_rss_bytes;
    r->final_rss[n] = (double)o->final_rss_bytes;
    r->waits_per_1000[n] = (double)o->waits * 1000 / operations;
    r->failed_allocations += o->failed;
    r->samples++;
}

static void percentiles(const struct stress_histogram *h, double ticks_per_ns,
                        double ns[4]) {
    ns[0] = (double)stress_histogram_percentile(h, 0.5) / ticks_per_ns;
    ns[1] = (double)stress_histogram_percentile(h, 0.99) / ticks_per_ns;
    ns[2] = (double)stress_histogram_percentile(h, 0.999) / ticks_per_ns;
    ns[3] = (double)h->largest / ticks_per_ns;
}

/* What two looks at the time-stamp counter cost when nothing lies between. */
static uint64_t clock_ticks(void) {
    static struct stress_histogram h;
    for (int i = 0; i < 10000; i++) {
        uint64_t begin = stress_ticks();
        stress_histogram_add(&h, stress_ticks() - begin);
    }
    return stress_histogram_percentile(&h, 0.5);
}

static void note_latency(struct contest_row *r, struct stress_outcome *o) {
    if (o->ticks_per_ns <= 0 || o->alloc_ticks.count == 0) return;
    percentiles(&o->alloc_ticks, o->ticks_per_ns, r->alloc_ns);
    percentiles(&o->free_ticks, o->ticks_per_ns, r->free_ns);
    stress_histogram_merge(&o->alloc_ticks, &o->free_ticks);
    percentiles(&o->alloc_ticks, o->ticks_per_ns, r->call_ns);
    r->clock_ns = (double)clock_ticks() / o->ticks_per_ns;
    r->has_latency = true;
}

static void note_counts(struct contest_row *r, const struct stress_outcome *o) {
    if (!o->counters_after.counted || o->operations == 0) return;
    double operations = (double)o->operations;
    r->locked_per_operation = (double)(o->counters_after.read_modify_writes -
                                       o->counters_before.read_modify_writes) /
                              operations;
    r->retries_per_operation =
        (double)(o->counters_after.retries - o->counters_before.retries) /
        operations;
    r->has_counts = true;
}

static void run_cell(const struct cell *cell) {
    static struct stress_outcome outcome;
    const struct contest_load *load = &contest.load[cell->load];
    const struct contestant *who = &contest.contestant[cell->contestant];
    struct contest_row *row =
        contest_row_at(&contest, cell->load, cell->contestant);
    char program[STRESS_PATH_MAX], text[sizeof row->failure];
    bool counting = cell->pass == STRESS_COUNT;
    if (row->failure[0] != 0) return; /* it failed before: once is enough */
    if (!stress_find_file(counting ? who->counted_cell : who->cell, program,
                          sizeof program)) {
        snprintf(row->failure, sizeof row->failure, "%s was not built",
                 who->cell);
        return;
    }
    struct cell_request r = {0};
    r.program = program;
    r.subject = who->name;
    r.library = who->library;
    r.lock = who->lock;
    r.workload = load->workload->name;
    r.threads = load->threads;
    r.seconds = cell->pass == STRESS_TIME ? contest.seconds
                : counting                ? contest.count_seconds
                                          : contest.latency_seconds;
    r.warm_seconds = contest.warm_seconds;
    r.seed = contest.seed;
    r.pass = cell->pass;
    r.check = contest.check;
    r.plan_fd = load->plan_fd;
    r.give_up = is_interrupted;
    switch (cell_run(&r, &outcome, text, sizeof text)) {
        case CELL_MEASURED:
            row->threads = outcome.lanes;
            if (cell->pass == STRESS_TIME) note_time(row, &outcome);
            if (cell->pass == STRESS_LATENCY) note_latency(row, &outcome);
            if (cell->pass == STRESS_COUNT) note_counts(row, &outcome);
            break;
        case CELL_GIVEN_UP:
            break;
        case CELL_BROKEN:
            contest.broken = true;
            fprintf(stderr, "%s\n", text);
            memcpy(row->failure, text, sizeof row->failure);
            break;
        default:
            memcpy(row->failure, text, sizeof row->failure);
            break;
    }
}

static void show_progress(bool shown, const struct cell *cell, double left) {
    if (!shown) return;
    fprintf(stderr, "\r\033[K%zu/%zu  %s %s, %u threads  about %.0f s left",
            contest.cells_done + 1, contest.cells,
            contest.contestant[cell->contestant].name,
            contest.load[cell->load].name, contest.load[cell->load].threads,
            ceil(left));
    fflush(stderr);
}

/* All rounds, drawn beforehand, so that the time is known; NULL without memory. */
static struct cell *make_cells(void) {
    size_t a_round = contest.loads * contest.contestants * 3;
    struct cell *cells =
        (struct cell *)calloc(a_round * (size_t)contest.rounds, sizeof *cells);
    if (cells == NULL) return NULL;
    uint64_t random = stress_random_mix(contest.seed);
    for (int round = 0; round < contest.rounds; round++) {
        contest.cells += make_round(round, &random, cells + contest.cells);
    }
    return cells;
}

static void run_cells(const struct arguments *a, const struct cell *cells) {
    double planned = seconds_of_cells(cells, contest.cells);
    bool shown = isatty(2) && !a->quiet;
    if (a->full || planned > 150) {
        fprintf(stderr, "compare: %zu cells, about %.0f minutes\n",
                contest.cells, ceil(planned / 60));
    }
    double begin = now();
    for (size_t i = 0; i < contest.cells && !interrupted; i++) {
        /* Planned time, stretched by how the machine has done so far. */
        double done = planned - seconds_of_cells(cells + i, contest.cells - i);
        double stretch = done > 5 ? (now() - begin) / done : 1;
        show_progress(shown, &cells[i], (planned - done) * stretch);
        run_cell(&cells[i]);
        if (!interrupted) contest.cells_done++;
    }
    if (shown) fprintf(stderr, "\r\033[K");
    contest.interrupted = interrupted != 0;
}

/* Lengths that fill the budget of a default run; --seconds and --full say
 * otherwise. */
static void choose_lengths(const struct arguments *a) {
    size_t measured = 0, counted = 0;
    for (size_t i = 0; i < contest.contestants; i++) {
        if (contest.contestant[i].missing[0] != 0) continue;
        measured++;
        if (is_counted(&contest.contestant[i])) counted++;
    }
    contest.rounds = a->rounds > 0 ? a->rounds : a->full ? 5 : 3;
    contest.warm_seconds = 0.1;
    contest.latency_seconds = 0.3;
    contest.count_seconds = 0.3;
    contest.seconds = a->full ? 2 : 1;
    if (a->seconds > 0) {
        contest.seconds = a->seconds;
        if (a->seconds < 0.3) {
            contest.latency_seconds = contest.count_seconds = a->seconds;
            contest.warm_seconds = a->seconds / 4;
        }
        return;
    }
    if (a->full) {
        contest.latency_seconds = 1;
        return;
    }
    double budget = BUDGET_SECONDS, cells = 0;
    for (size_t l = 0; l < contest.loads; l++) {
        double overhead = cell_overhead + contest.warm_seconds;
        if (contest.load[l].trace_path != NULL) overhead += trace_overhead;
        double times = (double)measured * contest.rounds;
        cells += times;
        budget -= times * overhead;
        budget -=
            (double)(measured + counted) * (contest.latency_seconds + overhead);
    }
    if (cells > 0) contest.seconds = budget / cells;
    if (contest.seconds > 2) contest.seconds = 2;
    if (contest.seconds < 0.5) contest.seconds = 0.5;
}

static void print_list(void) {
    printf(
        "workloads (--workload; default rsyslogd, redis, mix, ring, larson)\n");
    for (size_t i = 0; stress_workloads[i] != NULL; i++) {
        const struct stress_workload *w = stress_workloads[i];
        if (is_for_compare(w)) printf("  %-14s %s\n", w->name, w->what);
    }
    printf("traces (by name, or \"trace\" for all)\n");
    for (size_t i = 0; i < trace_files; i++) {
        printf("  %s\n", traces[i].name);
    }
    if (trace_files == 0) printf("  none found\n");
    printf("subjects (--subject)\n");
    for (size_t i = 0; i < contest.contestants; i++) {
        const struct contestant *c = &contest.contestant[i];
        printf("  %-14s %s\n", c->name,
               c->missing[0]   ? c->missing
               : c->library[0] ? c->library
                               : "");
    }
}

static int write_files(const struct arguments *a) {
    char path[STRESS_PATH_MAX];
    int status = 0;
    if (a->json != NULL) {
        stress_callers_path(a->json, path, sizeof path);
        if (!contest_write_json(&contest, path)) {
            fprintf(stderr, "compare: cannot write %s: %s\n", path,
                    strerror(errno));
            status = 1;
        }
    }
    if (a->csv != NULL) {
        stress_callers_path(a->csv, path, sizeof path);
        if (!contest_write_csv(&contest, path)) {
            fprintf(stderr, "compare: cannot write %s: %s\n", path,
                    strerror(errno));
            status = 1;
        }
    }
    return status;
}

static bool any_failed(void) {
    for (size_t i = 0; i < contest.loads * contest.contestants; i++) {
        if (contest.row[i].failure[0] != 0) return true;
    }
    return false;
}

/* Before anything that takes time.  System calls are not restarted: one that
 * waits would go on doing so. */
static void catch_interrupts(void) {
    struct sigaction action = {0};
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool load_traces(void) {
    for (size_t i = 0; i < contest.loads && !interrupted; i++) {
        if (contest.load[i].trace_path == NULL) continue;
        if (!load_trace(&contest.load[i]) && !interrupted) return false;
    }
    return true;
}

int main(int argc, char **argv) {
    static struct arguments a;
    a.seed = 1;
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    catch_interrupts();
    if (!gather_loads(&a)) return 2;
    if (!gather_contestants(&a)) return 2;
    if (a.list) {
        print_list();
        return 0;
    }
    contest.seed = a.seed;
    contest.check = a.check;
    stress_machine_read(&contest.machine);
    contest.row = (struct contest_row *)calloc(
        contest.loads * contest.contestants, sizeof *contest.row);
    if (contest.row == NULL) return 1;
    choose_lengths(&a);
    if (!a.plan && !load_traces()) return 1;
    struct cell *cells = make_cells();
    if (cells == NULL) return 1;
    if (a.plan) {
        printf("%zu cells, about %.0f s\n", contest.cells,
               ceil(seconds_of_cells(cells, contest.cells)));
        free(cells);
        return 0;
    }
    run_cells(&a, cells);
    free(cells);
    contest_print(&contest);
    int status = write_files(&a);
    if (contest.broken) return STRESS_EXIT_BROKEN;
    if (contest.interrupted) return 130;
    return any_failed() ? 1 : status;
}
