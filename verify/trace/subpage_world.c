/* subpage_world SEED EVENTS: threads that take, give and collect elements of two
 * classes in one arena, every labelled step of the subpages logged to stdout.
 *
 * Class 1 cuts a page into two elements and class 2 has one, as the classes A and
 * B of tla/Subpage.tla; the arena has one chunk, which lives on.  No operation
 * begins after the log has EVENTS lines, and those that have begun are logged to
 * their end. */

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc/arena.h"
#include "alloc/arena_fixture.h"
#include "verify/trace/traced.h"

#define THREADS  3
#define HELD_MAX 2
#define TAIL     10000 /* of the operations that are still under way */

struct entry {
    const char *label, *function;
    const void *word;
    uint64_t before, after, tag;
    int thread, done;
};

static struct linn_pool_core core;
static struct linn_arena arena;
static struct entry *entries;
static size_t used, limit;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int me = -1;
static __thread uint64_t dice;

static uint32_t roll(uint32_t n) {
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(dice >> 33) % n;
}

void linn_trace_enter(void) {
    if (me >= 0 && roll(4) == 0) (void)sched_yield();
    (void)pthread_mutex_lock(&lock);
}

void linn_trace_leave(const char *label, const char *function, const void *word,
                      uint64_t before, uint64_t after, uint64_t tag, int done) {
    if (me >= 0) {
        if (used == limit + TAIL) abort();
        struct entry e = {label, function, word, before, after, tag, me, done};
        entries[used++] = e;
    }
    (void)pthread_mutex_unlock(&lock);
}

static bool goes_on(void) {
    (void)pthread_mutex_lock(&lock);
    bool more = used < limit;
    (void)pthread_mutex_unlock(&lock);
    return more;
}

static uint64_t seed;
static pthread_barrier_t start;

static void *work(void *number) {
    me = (int)(intptr_t)number;
    dice = seed * 1000003 + (uint64_t)me;
    void *held[3][HELD_MAX];
    uint32_t count[3] = {0};
    (void)pthread_barrier_wait(&start);
    while (goes_on()) {
        uint32_t c = 1 + roll(2);
        uint32_t what = roll(8);
        if (what == 0) {
            (void)linn_arena_collect(&arena, 2);
        } else if (what < 5 && count[c] < HELD_MAX) {
            uint32_t want = 1 + roll(HELD_MAX - count[c] < 2 ? 1 : 2);
            count[c] +=
                linn_arena_take(&arena, c, want, false, held[c] + count[c]);
        } else if (count[c] > 0) {
            uint32_t n = 1 + roll(count[c]);
            count[c] -= n;
            if (linn_arena_give(&core, c, held[c] + count[c], n, "trace") !=
                n) {
                abort();
            }
        }
    }
    return NULL;
}

static void set_class(uint32_t c, uint32_t elements) {
    struct linn_size_class *k = &core.geometry.of[c];
    k->elements = elements;
    k->size = 4096 / elements;
    k->reciprocal = (uint32_t)((UINT64_C(1) << 32) / k->size + 1);
    k->run_pages = 1;
    k->run_order = 0;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    seed = strtoull(argv[1], NULL, 10);
    limit = strtoull(argv[2], NULL, 10);
    entries = calloc(limit + TAIL, sizeof *entries);
    linn_fixture_core(&core, &arena, 1, 4096, 6);
    core.geometry.classes = 2;
    set_class(1, 2);
    set_class(2, 1);
    /* The chunk: born with a run that stays, of no subpage. */
    void *first = linn_arena_take_groups(&arena, 1, true);
    if (first == NULL || entries == NULL) return 1;
    if (!linn_arena_give_groups(linn_chunk_of(first), first)) return 1;
    pthread_t threads[THREADS];
    if (pthread_barrier_init(&start, NULL, THREADS) != 0) return 1;
    for (int t = 0; t < THREADS; t++) {
        if (pthread_create(&threads[t], NULL, work, (void *)(intptr_t)t) != 0) {
            return 1;
        }
    }
    for (int t = 0; t < THREADS; t++)
        (void)pthread_join(threads[t], NULL);

    const struct linn_subpage *sp = linn_chunk_of(first)->subpages;
    printf("subpages %p %zu %zu %zu\n", (const void *)sp, sizeof *sp,
           offsetof(struct linn_subpage, node),
           offsetof(struct linn_subpage, bits));
    for (uint32_t c = 1; c <= 2; c++) {
        for (int s = 0; s < 2; s++) {
            printf("stack %u %d %p\n", c, s,
                   (const void *)&arena.partial[c].stack[s]);
        }
    }
    for (size_t i = 0; i < used; i++) {
        const struct entry *e = &entries[i];
        printf("%d %s %s %p %#lx %#lx %lu %d\n", e->thread, e->label,
               e->function, e->word, (unsigned long)e->before,
               (unsigned long)e->after, (unsigned long)e->tag, e->done);
    }
    return 0;
}
