/* One thread stopped at every instruction: the others go on.  See README.md.
 *
 *     probes [--deep]        linn: nothing may be blocked
 *     (built with LINN_LOCKED: the first blocked position ends it, and must come) */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/section.h" /* LINN_LOCKED */
#include "verify/probes/tracer.h"
#include "verify/probes/victim.h"

#define QUICK_POSITIONS 130 /* probed in each operation, about */
#define QUICK_VISITS    4   /* of one address in one run */
#define DEEP_VISITS     64
#define STEPS_MAX       3000000
#define GROWTH_EVERY    330 /* probed positions */
#define GROWTH_BURSTS   560 /* a multiple of 112: then they do the same again */
#define GROWTH_MAX      ((uint64_t)1258291) /* 1.2 MiB */
#define FLAT_MAX        ((uint64_t)384 * 1024)

static struct linn_probe_tracer tracer;

/* ---- how often an address was visited ---- */

#define VISITS (1 << 16)
static struct visit {
    uint64_t address;
    uint32_t count;
} visits[VISITS];

static uint32_t visit(uint64_t address) {
    uint64_t at = address * UINT64_C(0x9e3779b97f4a7c15) >> 48;
    while (visits[at].count != 0 && visits[at].address != address)
        at = (at + 1) % VISITS;
    visits[at].address = address;
    return visits[at].count++;
}

/* ---- figures ---- */

static struct {
    uint64_t steps[LINN_PROBE_WHERES];
    uint64_t eligible; /* positions of linn within the visits allowed */
    uint64_t probed, bursts, threads, forks, signals;
    uint64_t blocked;
    uint64_t growth_looks, growth_max, flat_max;
} sum;

static const char *const kWhere[] = {"linn", "called by linn", "the test's own",
                                     "outside"};
static const char *const kStage[] = {"a burst", "a new thread", "a fork"};

static void found_blocked(const struct linn_probe_operation *o, uint64_t rip,
                          const char *who) {
    sum.blocked++;
    printf("%s: stopped at text + %#llx, %s was blocked\n", o->name,
           (unsigned long long)(rip - tracer.mail->text_begin), who);
    if (!LINN_LOCKED) linn_probe_die(&tracer, "somebody was blocked");
    printf(
        "the locked twin blocks, as it must: %llu positions probed, the "
        "last one blocked\n",
        (unsigned long long)sum.probed);
    linn_probe_stop(&tracer);
    exit(0);
}

static void order_workers(const struct linn_probe_operation *o, uint64_t rip,
                          enum linn_probe_order kind) {
    struct linn_probe_mail *m = tracer.mail;
    for (int i = 0; i < LINN_PROBE_WORKERS; i++)
        linn_probe_order(&m->worker[i], kind, 0);
    for (int i = 0; i < LINN_PROBE_WORKERS; i++) {
        if (linn_probe_await(&tracer, &m->worker[i]) == LINN_PROBE_BLOCKED) {
            found_blocked(o, rip,
                          kStage[sync_u32_load_relaxed(&m->worker[i].stage)]);
        }
        sum.bursts++;
    }
}

/* `at_stop` was resident when the victim was stopped here.  What it touched itself
 * on its way to here (a chunk's first pages, a huge page of the kernel's) is not
 * growth while it stands. */
static void look_at_growth(const struct linn_probe_operation *o, uint64_t rip,
                           uint64_t at_stop) {
    for (int i = 0; i < GROWTH_BURSTS; i++)
        order_workers(o, rip, LINN_PROBE_BURST);
    uint64_t first = linn_probe_resident(&tracer);
    for (int i = 0; i < GROWTH_BURSTS; i++)
        order_workers(o, rip, LINN_PROBE_BURST);
    uint64_t last = linn_probe_resident(&tracer);
    uint64_t growth = last > at_stop ? last - at_stop : 0;
    uint64_t slope = last > first ? last - first : 0;
    if (growth > sum.growth_max) sum.growth_max = growth;
    if (slope > sum.flat_max) sum.flat_max = slope;
    sum.growth_looks++;
}

static void probe(const struct linn_probe_operation *o,
                  const struct user_regs_struct *at) {
    sum.probed++;
    bool look = sum.probed % GROWTH_EVERY == 0;
    uint64_t at_stop = look ? linn_probe_resident(&tracer) : 0;
    order_workers(o, at->rip, LINN_PROBE_ALL);
    sum.threads++;
    sum.forks++;
    if (look) look_at_growth(o, at->rip, at_stop);
    if (linn_probe_signal(&tracer, at) == LINN_PROBE_BLOCKED) {
        found_blocked(o, at->rip, "its own signal handler");
    }
    sum.signals++;
}

/* Steps one victim through operation `index`, and probes one eligible position in
 * `stride` (0: none).  The eligible positions. */
static uint64_t run(uint32_t index, uint64_t stride, uint64_t phase,
                    uint32_t visits_max) {
    const struct linn_probe_operation *o = &linn_probe_operations[index];
    memset(visits, 0, sizeof visits);
    linn_probe_catch(&tracer, index);
    linn_probe_control(&tracer, LINN_PROBE_LEDGER, 0);
    uint64_t before = tracer.mail->ledger.field[o->field];
    enum linn_probe_where where = LINN_PROBE_OWN;
    uint64_t eligible = 0;
    bool ended = false;
    for (uint64_t steps = 0;; steps++) {
        if (steps > STEPS_MAX) {
            linn_probe_die(&tracer, "%s does not end", o->name);
        }
        struct user_regs_struct regs;
        if (!linn_probe_step(&tracer, &regs)) {
            ended = true;
            break;
        }
        if (!o->to_the_end &&
            sync_u32_load_acquire(&tracer.mail->finished) != 0) {
            break;
        }
        where = linn_probe_classify(&tracer, &regs, where);
        if (stride != 0) sum.steps[where]++;
        if (where != LINN_PROBE_LIBRARY && where != LINN_PROBE_CALLED) continue;
        if (visit(regs.rip) >= visits_max) continue;
        eligible++;
        if (stride != 0 && (eligible + phase) % stride == 0) probe(o, &regs);
    }
    if (!ended) linn_probe_release(&tracer);
    linn_probe_control(&tracer, LINN_PROBE_JOIN, 0);
    linn_probe_control(&tracer, LINN_PROBE_LEDGER, 0);
    /* While it is probed the others may do what it was about to do. */
    if (stride == 0 && o->field != 0 &&
        tracer.mail->ledger.field[o->field] == before) {
        linn_probe_die(&tracer, "%s did not do what it is for", o->name);
    }
    return eligible;
}

int main(int argc, char **argv) {
    linn_probe_be_child(argc, argv);
    bool deep = argc > 1 && strcmp(argv[1], "--deep") == 0;
    uint32_t visits_max = deep ? DEEP_VISITS : QUICK_VISITS;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    linn_probe_start(&tracer, argv);
    for (int i = 0; i < 40; i++) /* what is allocated once is allocated */
        order_workers(&linn_probe_operations[0], 0, LINN_PROBE_ALL);
    sum.bursts = 0;
    for (uint32_t i = 0; i < linn_probe_operation_count; i++) {
        uint64_t eligible = run(i, 0, 0, visits_max);
        uint64_t probed = sum.probed;
        uint64_t stride = deep ? 1 : 1 + eligible / QUICK_POSITIONS;
        uint64_t seen = run(i, stride, i, visits_max);
        sum.eligible += seen;
        printf("%-20s %6llu positions, %5llu probed\n",
               linn_probe_operations[i].name, (unsigned long long)seen,
               (unsigned long long)(sum.probed - probed));
        if (sum.probed == probed) {
            linn_probe_die(&tracer, "nothing was probed there");
        }
    }
    linn_probe_stop(&tracer);
    for (int w = 0; w < LINN_PROBE_WHERES; w++) {
        printf("%llu steps in %s\n", (unsigned long long)sum.steps[w],
               kWhere[w]);
    }
    printf(
        "%llu positions in linn or called by it, at most %u of one address "
        "and run\n",
        (unsigned long long)sum.eligible, visits_max);
    printf(
        "%llu probed: %llu bursts, %llu new threads, %llu forks, %llu "
        "signals handled; blocked %llu\n",
        (unsigned long long)sum.probed, (unsigned long long)sum.bursts,
        (unsigned long long)sum.threads, (unsigned long long)sum.forks,
        (unsigned long long)sum.signals, (unsigned long long)sum.blocked);
    printf(
        "resident growth while stopped: at most %llu KiB in %llu looks; in "
        "%d bursts at one position at most %llu KiB\n",
        (unsigned long long)sum.growth_max / 1024,
        (unsigned long long)sum.growth_looks, GROWTH_BURSTS,
        (unsigned long long)sum.flat_max / 1024);
    if (LINN_LOCKED) {
        (void)fprintf(stderr, "FAILED: the locked twin blocked nobody\n");
        return 1;
    }
    uint64_t floor = deep ? 150000 : 2000;
    if (sum.probed < floor || sum.signals != sum.probed ||
        sum.forks != sum.probed || sum.threads != sum.probed ||
        sum.growth_looks < floor / GROWTH_EVERY) {
        (void)fprintf(stderr, "FAILED: fewer than %llu positions\n",
                      (unsigned long long)floor);
        return 1;
    }
    if (sum.growth_max > GROWTH_MAX || sum.flat_max > FLAT_MAX) {
        (void)fprintf(stderr, "FAILED: memory grew while a thread stood\n");
        return 1;
    }
    return 0;
}
