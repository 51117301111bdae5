/* Threads ended at a random instruction: the others go on, and little is lost.
 *
 *     kills [NUMBER]         (1000)
 *
 * The ledger.  After each kill the workers rest and empty their caches, and the
 * blocks that the dead thread's caller had are freed.  What caches still hold is
 * then the dead's; and what is still in use after adoption, reclaim and the freeing
 * of everything is lost for good (a lost element counts with its whole run).  The
 * sum of both is the loss before adoption.  The block that was being allocated is
 * its caller's, as far as it is larger than a cache keeps. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "verify/probes/tracer.h"
#include "verify/probes/victim.h"

#define FIRST_INSTRUCTIONS 2000
#define AWAIT_STEPS        20 /* out of the loop that waits for `go` */
#define AVERAGE_MAX        ((uint64_t)64 * 1024)
#define ONE_MAX            ((uint64_t)600 * 1024)
#define CACHED_MAX         ((uint64_t)128 * 1024)

static struct linn_probe_tracer tracer;

static uint64_t next_random(void) {
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void order_workers(enum linn_probe_order kind) {
    for (int i = 0; i < LINN_PROBE_WORKERS; i++)
        linn_probe_order(&tracer.mail->worker[i], kind, 0);
}

static void await_workers(void) {
    for (int i = 0; i < LINN_PROBE_WORKERS; i++) {
        if (linn_probe_await(&tracer, &tracer.mail->worker[i]) !=
            LINN_PROBE_DONE) {
            linn_probe_die(&tracer, "a worker is blocked after a kill");
        }
    }
}

static struct linn_probe_ledger ledger(enum linn_probe_order kind) {
    linn_probe_control(&tracer, kind, 0);
    return tracer.mail->ledger;
}

int main(int argc, char **argv) {
    linn_probe_be_child(argc, argv);
    long number = argc > 1 ? atol(argv[1]) : 1000;
    linn_probe_start(&tracer, argv);
    order_workers(LINN_PROBE_ALL);
    await_workers();
    order_workers(LINN_PROBE_REST);
    await_workers();
    struct linn_probe_ledger before = ledger(LINN_PROBE_ADOPT);
    uint64_t resident = 0;
    uint64_t in_linn = 0, in_sections = 0, delayed = 0, adopted = 0;
    uint64_t lost = 0, lost_max = 0, kept = 0, kept_max = 0, in_flight = 0;
    uint64_t held_first = before.held_bytes;
    for (long i = 0; i < number; i++) {
        if (i == number / 10) resident = linn_probe_resident(&tracer);
        order_workers(i % 8 == 0 ? LINN_PROBE_ALL : LINN_PROBE_BURST);
        linn_probe_catch(&tracer, next_random() << 8 | LINN_PROBE_RANDOM);
        struct user_regs_struct regs;
        uint64_t one = next_random() % FIRST_INSTRUCTIONS;
        uint64_t two = next_random() % FIRST_INSTRUCTIONS;
        uint64_t steps = (one < two ? one : two) + AWAIT_STEPS;
        for (uint64_t s = 1; s <= steps; s++) {
            if (!linn_probe_step(&tracer, s == steps ? &regs : NULL)) {
                linn_probe_die(&tracer, "a victim ended by itself");
            }
        }
        if (linn_probe_classify(&tracer, &regs, LINN_PROBE_OWN) ==
            LINN_PROBE_LIBRARY) {
            in_linn++;
        }
        uint64_t asked = sync_u64_load_relaxed(&tracer.mail->asked);
        bool section = sync_u32_load_relaxed(&tracer.mail->in_section) != 0;
        linn_probe_kill(&tracer, &regs);
        await_workers(); /* they went on */
        linn_probe_control(&tracer, LINN_PROBE_JOIN, 0);
        order_workers(LINN_PROBE_BURST); /* over its stack's addresses */
        await_workers();
        order_workers(LINN_PROBE_REST);
        await_workers();
        struct linn_probe_ledger dead = ledger(LINN_PROBE_LEDGER);
        struct linn_probe_ledger after = ledger(LINN_PROBE_ADOPT);
        if (section) {
            in_sections++;
            if (!after.grace_open) {
                linn_probe_die(&tracer, "a dead reader delayed nothing");
            }
        }
        if (after.grace_open) delayed++;
        if (!after.grace_over) {
            linn_probe_die(&tracer, "a grace period does not end");
        }
        adopted += after.adopted;
        if (after.cached_bytes != 0) {
            linn_probe_die(&tracer, "%llu bytes are cached by nobody",
                           (unsigned long long)after.cached_bytes);
        }
        uint64_t gone = after.used_bytes > before.used_bytes
                            ? after.used_bytes - before.used_bytes
                            : 0;
        if (gone > 0 && asked > CACHED_MAX) {
            gone -= asked < gone ? asked : gone;
            in_flight++;
        }
        uint64_t loss = dead.cached_bytes + gone;
        lost += loss;
        kept += gone;
        if (loss > lost_max) lost_max = loss;
        if (gone > kept_max) kept_max = gone;
        before = after;
    }
    uint64_t grown = linn_probe_resident(&tracer);
    grown = grown > resident ? grown - resident : 0;
    uint64_t n = (uint64_t)number;
    printf(
        "%llu threads killed: %llu inside linn, %llu inside read sections "
        "(%llu grace periods delayed, all over after adoption), %llu "
        "adopted\n",
        (unsigned long long)n, (unsigned long long)in_linn,
        (unsigned long long)in_sections, (unsigned long long)delayed,
        (unsigned long long)adopted);
    printf(
        "lost before adoption: %llu bytes a kill, at most %llu; after it: "
        "%llu a kill, at most %llu; %llu large blocks in flight\n",
        (unsigned long long)(lost / n), (unsigned long long)lost_max,
        (unsigned long long)(kept / n), (unsigned long long)kept_max,
        (unsigned long long)in_flight);
    printf(
        "held from the system: %lld KiB more than at first; resident: %llu "
        "bytes a kill\n",
        (long long)(before.held_bytes - held_first) / 1024,
        (unsigned long long)(grown / (n - n / 10)));
    linn_probe_stop(&tracer);
    if (in_linn < n / 3 || in_sections < n / 100 || adopted < n / 2) {
        (void)fprintf(stderr, "FAILED: too few were killed inside\n");
        return 1;
    }
    if (lost / n > AVERAGE_MAX || lost_max > ONE_MAX) {
        (void)fprintf(stderr, "FAILED: too much is lost\n");
        return 1;
    }
    return 0;
}
