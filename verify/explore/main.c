/* Explores a scenario: name [--mode=graph|full|random|pct] [--rounds=N] ...
 *
 * Each round of a scenario is a program of its own: `before` runs once, then the
 * executions of its threads and of `after` are explored from that state.  Fails when
 * an execution does, when it explored fewer than its floor, when it was to finish
 * and did not, and when an outcome never came about. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "verify/explore/fiber.h"
#include "verify/explore/machine.h"
#include "verify/explore/memory.h"
#include "verify/explore/report.h"
#include "verify/explore/runtime.h"
#include "verify/explore/schedule.h"
#include "verify/explore/threads.h"
#include "verify/scenario.h"

static long round_number;
static long seen[LINN_SCENARIO_OUTCOMES];

long linn_scenario_round(void) {
    return round_number;
}

void linn_scenario_saw(unsigned outcome) {
    if (outcome < LINN_SCENARIO_OUTCOMES) seen[outcome]++;
}

void linn_scenario_failed(const char *fact, const char *file, int line) {
    static char text[300];
    (void)snprintf(text, sizeof text, "not true: %s (%s:%d)", fact, file, line);
    report_failure(text, 0, 0);
}

void linn_scenario_statistic(const void *first, size_t bytes) {
    runtime_statistic(first, bytes);
}

static void crashed(int number) {
    static char text[60];
    (void)snprintf(text, sizeof text, "the program gets signal %d", number);
    report_failure(text, schedule_site(), 0);
}

static struct schedule_options options = {
    .preemptions = -1, .depth = 3, .seed = 1};
static long rounds = 1, first_round, floor_executions = 1;
static bool must_finish;

static const char *const modes[] = {"graph", "full", "random", "pct", "replay"};

static bool number_option(const char *argument, const char *name, long *value) {
    size_t n = strlen(name);
    if (strncmp(argument, name, n) != 0 || argument[n] != '=') return false;
    *value = strtol(argument + n + 1, NULL, 0);
    return true;
}

static void read_option(const char *argument) {
    long n;
    if (number_option(argument, "--executions", &options.executions) ||
        number_option(argument, "--seconds", &options.seconds) ||
        number_option(argument, "--rounds", &rounds) ||
        number_option(argument, "--round", &first_round) ||
        number_option(argument, "--floor", &floor_executions)) {
        return;
    }
    if (number_option(argument, "--seed", &n)) {
        options.seed = (uint64_t)n;
    } else if (number_option(argument, "--preemptions", &n)) {
        options.preemptions = (int)n;
    } else if (number_option(argument, "--depth", &n)) {
        options.depth = (int)n;
    } else if (strcmp(argument, "--finish") == 0) {
        must_finish = true;
    } else if (strncmp(argument, "--replay=", 9) == 0) {
        options.mode = SCHEDULE_REPLAY;
        options.replay = argument + 9;
    } else {
        for (int i = 0; i < SCHEDULE_REPLAY; i++) {
            if (strncmp(argument, "--mode=", 7) == 0 &&
                strcmp(argument + 7, modes[i]) == 0) {
                options.mode = (enum schedule_mode)i;
                return;
            }
        }
        (void)fprintf(stderr, "%s?\n", argument);
        exit(2);
    }
}

static bool report_outcomes(void) {
    bool all = true;
    for (unsigned i = 0; i < LINN_SCENARIO_OUTCOMES; i++) {
        const char *what = linn_scenario.outcome[i];
        if (what == NULL) continue;
        (void)printf("  %10ld executions: %s\n", seen[i],
                     what + (*what == '?'));
        if (seen[i] > 0 || *what == '?') continue;
        (void)printf("  never seen, so it was not checked\n");
        all = false;
    }
    return all;
}

int main(int argc, char **argv) {
    memory_init();
    fiber_init();
    for (int i = 1; i < argc; i++)
        read_option(argv[i]);
    static char how[60];
    report_name(linn_scenario.name, how);
    static char spare_stack[1 << 16];
    stack_t other = {.ss_sp = spare_stack, .ss_size = sizeof spare_stack};
    (void)sigaltstack(&other, NULL);
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK};
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);

    struct program program = {.after = linn_scenario.after,
                              .begin = threads_begin};
    while (program.threads < LINN_SCENARIO_THREADS &&
           linn_scenario.thread[program.threads] != NULL) {
        program.thread[program.threads] = linn_scenario.thread[program.threads];
        program.threads++;
    }
    struct schedule_result sum = {.finished = true};
    clock_t begin = clock();
    for (long i = 0; i < rounds; i++) {
        round_number = first_round + i;
        (void)snprintf(how, sizeof how, " --round=%ld", round_number);
        linn_scenario.before();
        memory_seal();
        threads_seal();
        struct schedule_result r = schedule_explore(&program, &options);
        sum.complete += r.complete;
        sum.dead += r.dead;
        sum.waiting += r.waiting;
        sum.truncated += r.truncated;
        sum.events += r.events;
        if (r.longest > sum.longest) sum.longest = r.longest;
        sum.finished = sum.finished && r.finished;
    }
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    (void)printf(
        "scenario %s: %ld executions (%ld more dead, %ld waiting, %ld "
        "cut off), %d events at most, %.1f s\n",
        linn_scenario.name, sum.complete, sum.dead, sum.waiting, sum.truncated,
        sum.longest, seconds);
    (void)printf("  mode %s, %ld rounds, labels %s\n", modes[options.mode],
                 rounds, linn_scenario.labels);
    (void)printf("  bound: %s\n", linn_scenario.bound);
    bool all = report_outcomes() || options.mode == SCHEDULE_REPLAY;
    (void)printf("  %s\n", sum.finished ? "FINISHED: these are all executions"
                                        : "SAMPLED: there are more executions");
    if (sum.complete < floor_executions) {
        (void)printf("  fewer executions than %ld\n", floor_executions);
        all = false;
    }
    if (must_finish && !sum.finished) {
        (void)printf("  it was to finish\n");
        all = false;
    }
    return all ? 0 : 1;
}
