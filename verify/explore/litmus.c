/* The checker checked: litmus [PROGRAMS [FAULT]].
 *
 *   - each program of litmus.h has exactly the outcomes that its table says, in
 *     `graph` and in `full`;
 *   - it and PROGRAMS random ones have the same execution graphs in both, and `graph`
 *     visits none of them twice.
 * FAULT is one of the planted faults (schedule.h): then the exit status is 0 only if
 * the table or the comparison noticed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/explore/fiber.h"
#include "verify/explore/litmus.h"
#include "verify/explore/machine.h"
#include "verify/explore/memory.h"
#include "verify/explore/schedule.h"

enum { GRAPHS_MAX = 1 << 17, OUTCOMES_MAX = 256 };

static struct litmus now;
static _Alignas(64) uint64_t words[3][8];
static int registers[8];

static struct {
    uint64_t graph[GRAPHS_MAX];
    long graphs, repeated;
    char outcome[OUTCOMES_MAX][16];
    int outcomes;
} found[2], *here;

/* ---- running a thread's text ---- */

static uint8_t order_of(const char *s) {
    if (strncmp(s, "acq", 3) == 0) return __ATOMIC_ACQUIRE;
    if (strncmp(s, "rel", 3) == 0) return __ATOMIC_RELEASE;
    if (strncmp(s, "ar", 2) == 0) return __ATOMIC_ACQ_REL;
    return __ATOMIC_RELAXED;
}

static uintptr_t word_of(char c) {
    return (uintptr_t)words[c - 'x'];
}

static bool step(const char *s) {
    schedule_from((uintptr_t)s);
    if (*s == 'F' || *s == 'L' || *s == 'H') {
        int kind = *s == 'F'   ? EVENT_FENCE
                   : *s == 'L' ? EVENT_LIGHT
                               : EVENT_HEAVY;
        schedule_fence(kind, __ATOMIC_SEQ_CST);
        return true;
    }
    if (s[1] == '=' && s[2] == '=') return registers[s[0] - 'a'] == s[3] - '0';
    uint64_t value[2] = {0, 0}, other[2] = {0, 0};
    if (*s >= 'x') {
        value[0] = (uint64_t)(s[2] - '0');
        schedule_store(word_of(*s), 8, order_of(s + 4), value);
        return true;
    }
    uintptr_t word = word_of(s[2]);
    if (s[3] == '.') {
        schedule_load(word, 8, order_of(s + 4), value);
    } else if (s[3] == '+') {
        other[0] = (uint64_t)(s[4] - '0');
        schedule_change(word, 8, order_of(s + 6), ADD, other, value);
    } else {
        value[0] = (uint64_t)(s[4] - '0');
        other[0] = (uint64_t)(s[6] - '0');
        const char *failure = strchr(s + 8, '.') + 1;
        (void)schedule_cas(word, 8, order_of(s + 8), order_of(failure), value,
                           other);
    }
    registers[s[0] - 'a'] = (int)value[0];
    return true;
}

static void run_thread(int me) {
    for (const char *s = now.thread[me]; s != NULL; s++) {
        if (!step(s)) return;
        s = strchr(s, ';');
        if (s == NULL) return;
    }
}

static void thread0(void) {
    run_thread(0);
}
static void thread1(void) {
    run_thread(1);
}
static void thread2(void) {
    run_thread(2);
}
static void thread3(void) {
    run_thread(3);
}

/* ---- what came of it ---- */

static void after(void) {
    char text[16] = "";
    size_t n = 0;
    for (const char *s = now.show; *s; s++) {
        uint64_t v =
            *s >= 'x' ? words[*s - 'x'][0] : (uint64_t)registers[*s - 'a'];
        text[n++] = (char)('0' + v);
    }
    int i = 0;
    while (i < here->outcomes && strcmp(here->outcome[i], text) != 0)
        i++;
    if (i == here->outcomes && i < OUTCOMES_MAX) {
        (void)strcpy(here->outcome[here->outcomes++], text);
    }
    memset(registers, 0, sizeof registers);
}

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 29;
}

/* A number for the graph, whatever order its events were added in. */
static void judge(void) {
    const struct machine *m = &linn_machine;
    uint64_t h = 1;
    for (int t = 1; t < THREADS; t++) {
        for (int i = 1; i <= m->planned[t]; i++) {
            const struct event *e = &m->event[m->of_thread[t][i]];
            h = mix(h, (uint64_t)e->kind * 8 + (uint64_t)t);
            if (e->kind == EVENT_WRITE) h = mix(h, e->position);
            if (e->kind != EVENT_READ) continue;
            const struct event *w = e->source < 0 ? NULL : &m->event[e->source];
            h = mix(h, w == NULL ? 77 : w->thread * 1000u + w->index);
        }
    }
    uint64_t at = h % GRAPHS_MAX;
    if (h == 0) h = 1;
    for (; here->graph[at] != 0; at = (at + 1) % GRAPHS_MAX) {
        if (here->graph[at] == h) {
            here->repeated++;
            return;
        }
    }
    if (here->graphs == GRAPHS_MAX / 2) abort();
    here->graph[at] = h;
    here->graphs++;
}

static bool is_in(const char *list, const char *outcome) {
    size_t n = strlen(outcome);
    for (const char *s = list; (s = strstr(s, outcome)) != NULL; s++) {
        if ((s == list || s[-1] == ' ') && (s[n] == ' ' || s[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static int count_of(const char *list) {
    int n = 1;
    for (const char *s = list; *s; s++)
        n += *s == ' ';
    return n;
}

/* ---- one program, both ways ---- */

static struct schedule_result ran[2];

static void explore_both(enum schedule_fault fault) {
    struct program p = {.after = after,
                        .judge = judge,
                        .thread = {thread0, thread1, thread2, thread3}};
    while (p.threads < 4 && now.thread[p.threads] != NULL)
        p.threads++;
    for (int i = 0; i < 2; i++) {
        struct schedule_options o = {
            .preemptions = -1,
            .fault = i == 0 ? fault : FAULT_NONE,
            .mode = i == 0 ? SCHEDULE_GRAPH : SCHEDULE_FULL};
        here = &found[i];
        memset(here, 0, sizeof *here);
        memset(registers, 0, sizeof registers);
        ran[i] = schedule_explore(&p, &o);
    }
}

static bool both_agree(void) {
    bool same = found[0].graphs == found[1].graphs && found[0].repeated == 0 &&
                ran[0].finished && ran[1].finished;
    for (int i = 0; i < GRAPHS_MAX && same; i++) {
        uint64_t h = found[0].graph[i];
        if (h == 0) continue;
        uint64_t at = h % GRAPHS_MAX;
        while (found[1].graph[at] != 0 && found[1].graph[at] != h)
            at = (at + 1) % GRAPHS_MAX;
        same = found[1].graph[at] == h;
    }
    return same;
}

static bool table_agrees(int which) {
    bool same = found[which].outcomes == count_of(now.allowed);
    for (int i = 0; i < found[which].outcomes; i++) {
        same = same && is_in(now.allowed, found[which].outcome[i]);
    }
    return same;
}

static void print_outcomes(int which) {
    for (int i = 0; i < found[which].outcomes; i++)
        (void)printf(" %s", found[which].outcome[i]);
}

/* ---- random programs ---- */

static uint32_t random_state = 12345;
static unsigned throw_dice(unsigned sides) {
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 16) % sides;
}

static char texts[4][200];

static void random_program(void) {
    static const char *const load[] = {"rlx", "acq"};
    static const char *const store[] = {"rlx", "rel"};
    static const char *const both[] = {"rlx", "acq", "rel", "ar"};
    unsigned threads = 2 + throw_dice(2);
    unsigned fences = throw_dice(4) == 0;
    int letter = 0;
    now = (struct litmus){.name = "random", .show = ""};
    for (unsigned t = 0; t < threads; t++) {
        char *s = texts[t];
        unsigned n = threads == 2 ? 3 + throw_dice(2) : 2;
        for (unsigned i = 0; i < n; i++) {
            char x = (char)('x' + throw_dice(2));
            char r = (char)('a' + letter++ % 8);
            if (i > 0) *s++ = ';';
            switch (throw_dice(fences ? 5 : 4)) {
                case 0:
                    s += sprintf(s, "%c=%u.%s", x, 1 + throw_dice(3),
                                 store[throw_dice(2)]);
                    break;
                case 1:
                    s += sprintf(s, "%c=%c.%s", r, x, load[throw_dice(2)]);
                    break;
                case 2:
                    s += sprintf(s, "%c=%c+1.%s", r, x, both[throw_dice(4)]);
                    break;
                case 3:
                    s += sprintf(s, "%c=%c?%u:%u.%s.%s", r, x, throw_dice(2),
                                 2 + throw_dice(2), both[throw_dice(4)],
                                 load[throw_dice(2)]);
                    break;
                default:
                    s += sprintf(s, "%c", "FLH"[throw_dice(3)]);
                    break;
            }
        }
        now.thread[t] = texts[t];
    }
}

int main(int argc, char **argv) {
    long programs = argc > 1 ? strtol(argv[1], NULL, 10) : 300;
    int fault = argc > 2 ? atoi(argv[2]) : FAULT_NONE;
    memory_init();
    fiber_init();
    memory_seal();
    int wrong = 0, rows = (int)(sizeof litmus_table / sizeof litmus_table[0]);
    long graphs = 0, full = 0;
    for (int i = 0; i < rows; i++) {
        now = litmus_table[i];
        explore_both((enum schedule_fault)fault);
        bool good = both_agree() && table_agrees(0) && table_agrees(1);
        (void)printf("%s %-22s %3d outcomes, %5ld graphs, %7ld in full\n",
                     good ? "ok   " : "WRONG", now.name, found[0].outcomes,
                     ran[0].complete, ran[1].complete);
        graphs += ran[0].complete;
        full += ran[1].complete;
        if (good) continue;
        wrong++;
        (void)printf("      allowed: %s\n      graph:  ", now.allowed);
        print_outcomes(0);
        (void)printf("\n      full:   ");
        print_outcomes(1);
        (void)printf("\n      %ld repeated; %s\n", found[0].repeated, now.why);
    }
    for (long i = 0; i < programs; i++) {
        random_program();
        explore_both((enum schedule_fault)fault);
        graphs += ran[0].complete;
        full += ran[1].complete;
        if (both_agree()) continue;
        wrong++;
        (void)printf("WRONG random: graph %ld (%ld repeated), full %ld\n",
                     found[0].graphs, found[0].repeated, found[1].graphs);
        for (int t = 0; t < 4 && now.thread[t] != NULL; t++)
            (void)printf("      %s\n", now.thread[t]);
        if (wrong > 20) break;
    }
    (void)printf(
        "%d programs by hand, %ld at random: %ld graphs, %ld in full, "
        "%d wrong\n",
        rows, programs, graphs, full, wrong);
    if (fault != FAULT_NONE) return wrong > 0 ? 0 : 1;
    return wrong == 0 && rows >= 30 && full > graphs ? 0 : 1;
}
