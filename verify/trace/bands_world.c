/* bands_world SEED EVENTS: threads that take and give pages in two arenas, give
 * empty chunks back to the system, and so move chunks through all bands, places
 * and lives; every labelled step of guards, places, hints and spares is logged
 * to stdout.
 *
 * A chunk has 64 pages, and the three threads hold more than that at times.  No
 * operation begins after the log has EVENTS lines, and those that have begun are
 * logged to their end. */

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc/arena.h"
#include "alloc/arena_fixture.h"
#include "verify/trace/traced.h"

#define THREADS  3
#define ARENAS   2
#define HELD_MAX 40
#define TAIL     10000 /* of the operations that are still under way */

struct entry {
    const char *label, *function;
    const void *word;
    uint64_t before, after, tag;
    int thread, done;
};

static struct linn_pool_core core;
static struct linn_arena arenas[ARENAS];
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

/* Up to a number of pages of one arena, and down again. */
static void *work(void *number) {
    me = (int)(intptr_t)number;
    dice = seed * 1000003 + (uint64_t)me;
    void *held[HELD_MAX];
    uint32_t count = 0;
    (void)pthread_barrier_wait(&start);
    while (goes_on()) {
        struct linn_arena *arena = &arenas[roll(3) == 0];
        uint32_t up = roll(8) == 0 ? roll(HELD_MAX) : 1 + roll(3);
        while (count < up && goes_on()) {
            uint32_t want = 1 + roll(2);
            if (want > up - count) want = up - count;
            uint32_t got = linn_arena_take(arena, 1, want, true, held + count);
            if (got == 0) abort();
            count += got;
        }
        uint32_t down = roll(8) > 0 ? 0 : roll(HELD_MAX);
        while (count > down && goes_on()) {
            count--;
            if (linn_arena_give(&core, 1, held + count, 1, "trace") != 1) {
                abort();
            }
        }
        (void)linn_arena_release_empty(arena);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    seed = strtoull(argv[1], NULL, 10);
    limit = strtoull(argv[2], NULL, 10);
    entries = calloc(limit + TAIL, sizeof *entries);
    if (entries == NULL) return 1;
    linn_fixture_core(&core, arenas, ARENAS, 4096, 6);
    core.geometry.classes = 1;
    core.geometry.of[1].elements = 0;
    core.geometry.of[1].size = 4096; /* whole pages: nobody divides by it */
    core.geometry.of[1].run_pages = 1;
    core.geometry.of[1].run_order = 0;
    pthread_t threads[THREADS];
    if (pthread_barrier_init(&start, NULL, THREADS) != 0) return 1;
    for (int t = 0; t < THREADS; t++) {
        if (pthread_create(&threads[t], NULL, work, (void *)(intptr_t)t) != 0) {
            return 1;
        }
    }
    for (int t = 0; t < THREADS; t++)
        (void)pthread_join(threads[t], NULL);

    printf("pages %u\n", core.bands.pages);
    for (int i = 0; i < LINN_BANDS; i++) {
        printf("band %d %u %u\n", i, core.bands.leave_up[i],
               core.bands.leave_down[i]);
    }
    for (int a = 0; a < ARENAS; a++) {
        printf("arena %d %p %p %p %zu\n", a, (const void *)arenas[a].slot_of,
               (const void *)arenas[a].hint, (const void *)&arenas[a].spare,
               sizeof arenas[a].hint[0]);
    }
    for (uint32_t s = 0; s < linn_chunk_slot_limit(); s++) {
        const struct linn_chunk *c = linn_chunk_at(s);
        printf("slot %u %p %p\n", s, (const void *)&c->guard,
               (const void *)&c->free_node);
    }
    for (size_t i = 0; i < used; i++) {
        const struct entry *e = &entries[i];
        printf("%d %s %s %p %#lx %#lx %lu %d\n", e->thread, e->label,
               e->function, e->word, (unsigned long)e->before,
               (unsigned long)e->after, (unsigned long)e->tag, e->done);
    }
    return 0;
}
