/* Runs a scenario natively: scenario_test [ROUNDS].
 *
 * The operating system's threads stay from round to round and meet at three words,
 * so that a second is enough for many rounds; the main one takes part.  They change
 * parts each round, and begin when all have arrived and a random delay is over:
 * those that always start alike meet at always the same instructions.
 *
 * Rounds go on beyond the time wanted while they are fewer than the floor or an
 * outcome is missing: on a busy machine the threads may seldom run at once.
 *
 * Fails when a check does, when time allowed fewer rounds than the floor (or than
 * those asked for), when an outcome never came about, and when it does not end. */

#include "verify/scenario.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "sync/atomic.h"

#define SECONDS          3  /* then no further round begins */
#define SECONDS_MORE     35 /* the same while something is missing */
#define DEADLINE_SECONDS 50
#define ROUNDS_MIN       200
#define SPINS            200
#define DELAY_MAX        64

/* ATOMIC go, the number of the round that runs, or STOP
 *   VS.G1 start  store  release  pairs VS.G2  what `before` made
 *   VS.G2 wait   load   acquire  pairs VS.G1
 * ATOMIC arrived, threads that are ready to begin; orders nothing
 *   VS.A1 come   fetch_add  relaxed  a number
 *   VS.A2 wait   load       relaxed  a number
 *   VS.A3 clear  store      relaxed  VS.G1 publishes it
 * ATOMIC ended, threads that have done their part
 *   VS.E1 end    fetch_add  acq_rel  pairs VS.E2  `after` sees what they did
 *   VS.E2 wait   load       acquire  pairs VS.E1
 *   VS.E3 clear  store      relaxed  VS.G1 publishes it */
static sync_u32 go;
static sync_u32 arrived;
static sync_u32 ended;

#define STOP UINT32_MAX

static uint32_t threads = 1;
static long round_number;
static long seen[LINN_SCENARIO_OUTCOMES];

long linn_scenario_round(void) {
    return round_number;
}

void linn_scenario_statistic(const void *first, size_t bytes) {
    (void)first;
    (void)bytes;
}

void linn_scenario_saw(unsigned outcome) {
    LINN_SCENARIO_CHECK(outcome < LINN_SCENARIO_OUTCOMES &&
                        linn_scenario.outcome[outcome] != NULL);
    seen[outcome]++;
}

void linn_scenario_failed(const char *fact, const char *file, int line) {
    (void)fprintf(stderr, "scenario %s: round %ld: not true: %s (%s:%d)\n",
                  linn_scenario.name, round_number, fact, file, line);
    abort();
}

static void too_late(int signal_number) {
    (void)signal_number;
    static const char message[] = "scenario: it does not end\n";
    ssize_t unheard = write(2, message, sizeof message - 1);
    (void)unheard;
    _exit(1);
}

static void wait_a_little(unsigned *spins) {
    if (++*spins < SPINS) {
        __builtin_ia32_pause();
    } else {
        (void)sched_yield();
    }
}

static void delay(uint32_t *random) {
    *random = *random * 1664525 + 1013904223;
    for (uint32_t n = (*random >> 16) % DELAY_MAX; n > 0; n--) {
        __builtin_ia32_pause();
    }
}

/* Part number `me` of round `round`, by whichever thread it falls to. */
static void take_part(uint32_t me, uint32_t round, uint32_t *random) {
    (void)sync_u32_fetch_add_relaxed(&arrived, 1); /* VS.A1 */
    unsigned spins = 0;
    while (sync_u32_load_relaxed(&arrived) != threads) { /* VS.A2 */
        wait_a_little(&spins);
    }
    delay(random);
    linn_scenario.thread[(me + round) % threads]();
    /* VS.E1 acq_rel, pairs with VS.E2. */
    (void)sync_u32_fetch_add_acq_rel(&ended, 1);
}

static void *run_thread(void *argument) {
    uint32_t me = (uint32_t)(uintptr_t)argument;
    uint32_t random = me * 7919, last = 0;
    for (;;) {
        unsigned spins = 0;
        uint32_t now;
        /* VS.G2 acquire, pairs with VS.G1. */
        while ((now = sync_u32_load_acquire(&go)) == last) {
            wait_a_little(&spins);
        }
        if (now == STOP) return NULL;
        last = now;
        take_part(me, now, &random);
    }
}

static void run_round(uint32_t *random) {
    linn_scenario.before();
    sync_u32_store_relaxed(&arrived, 0); /* VS.A3 */
    sync_u32_store_relaxed(&ended, 0);   /* VS.E3 */
    uint32_t round = (uint32_t)round_number + 1;
    /* VS.G1 release, pairs with VS.G2. */
    sync_u32_store_release(&go, round);
    take_part(0, round, random);
    unsigned spins = 0;
    /* VS.E2 acquire, pairs with VS.E1. */
    while (sync_u32_load_acquire(&ended) != threads) {
        wait_a_little(&spins);
    }
    linn_scenario.after();
}

static bool all_seen(void) {
    for (unsigned i = 0; i < LINN_SCENARIO_OUTCOMES; i++) {
        const char *what = linn_scenario.outcome[i];
        if (what != NULL && *what != '?' && seen[i] == 0) return false;
    }
    return true;
}

static bool enough(long rounds, bool asked, time_t begin) {
    if (asked) return round_number >= rounds;
    if (round_number < rounds && round_number % 64 != 0) return false;
    time_t seconds = time(NULL) - begin;
    if (seconds >= SECONDS_MORE) return true;
    if (round_number < rounds && seconds < SECONDS) return false;
    return round_number >= ROUNDS_MIN && all_seen();
}

static void report_outcomes(void) {
    for (unsigned i = 0; i < LINN_SCENARIO_OUTCOMES; i++) {
        const char *what = linn_scenario.outcome[i];
        if (what == NULL) continue;
        (void)printf("  %10ld rounds: %s\n", seen[i], what + (*what == '?'));
        if (seen[i] > 0 || *what == '?') continue;
        (void)printf("  never seen, so it was not checked\n");
    }
}

int main(int argc, char **argv) {
    long rounds = linn_scenario.rounds;
#ifdef LINN_SANITIZED
    rounds /= 10;
#endif
    bool asked = argc > 1; /* perhaps for too few to see every outcome */
    if (asked) rounds = strtol(argv[1], NULL, 10);
    (void)signal(SIGALRM, too_late);
    (void)alarm(asked ? 0 : DEADLINE_SECONDS);
    time_t begin = time(NULL);

    while (threads < LINN_SCENARIO_THREADS &&
           linn_scenario.thread[threads] != NULL) {
        threads++;
    }
    pthread_t handles[LINN_SCENARIO_THREADS];
    for (uint32_t t = 1; t < threads; t++) {
        LINN_SCENARIO_CHECK(pthread_create(&handles[t], NULL, run_thread,
                                           (void *)(uintptr_t)t) == 0);
    }
    uint32_t random = 1;
    while (!enough(rounds, asked, begin)) {
        run_round(&random);
        round_number++;
    }
    /* VS.G1 release, pairs with VS.G2. */
    sync_u32_store_release(&go, STOP);
    for (uint32_t t = 1; t < threads; t++)
        (void)pthread_join(handles[t], NULL);

    (void)printf("scenario %s: %ld rounds of %u threads, labels %s\n",
                 linn_scenario.name, round_number, (unsigned)threads,
                 linn_scenario.labels);
    (void)printf("  bound: %s\n", linn_scenario.bound);
    report_outcomes();
    bool all = asked || all_seen();
    long floor = asked ? rounds : ROUNDS_MIN;
    if (round_number < floor) (void)printf("  fewer rounds than %ld\n", floor);
    return all && round_number >= floor && round_number > 0 ? 0 : 1;
}
