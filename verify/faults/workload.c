/* All that the library does, in a few milliseconds: blocks of every kind, cached
 * and not, freed by another thread, threads that end and that are killed, refusals
 * of the operating system, pools that end.  Then nothing may be lost: canaries,
 * whole structures, live blocks and held bytes. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/arena.h"
#include "alloc/check.h"
#include "alloc/linn.h"
#include "alloc/page_source.h"
#include "alloc/pool.h"
#include "verify/faults/fault.h"

#define BLOCKS_MAX 1024

struct block {
    unsigned char *p;
    size_t size;
};

static struct block blocks[BLOCKS_MAX];
static size_t block_count;
static size_t refused;

static void must(bool fact, const char *what) {
    if (fact) return;
    fprintf(stderr, "FAILED: %s\n", what);
    abort();
}

static void on_misuse(const struct linn_misuse *misuse) {
    fprintf(stderr, "FAILED: %s\n", misuse->message);
    abort();
}

static unsigned char mark_of(const struct block *b) {
    return (unsigned char)((uintptr_t)b->p >> 4 ^ b->size);
}

/* The first bytes, one in 509, and the last. */
static size_t after(size_t i, size_t size) {
    if (i < 16) return i + 1;
    return i + 509 < size || i + 1 == size ? i + 509 : size - 1;
}

static void fill(const struct block *b) {
    for (size_t i = 0; i < b->size; i = after(i, b->size))
        b->p[i] = mark_of(b);
}

static void look(const struct block *b) {
    for (size_t i = 0; i < b->size; i = after(i, b->size))
        must(b->p[i] == mark_of(b), "a canary holds");
}

static void take(size_t size) {
    must(block_count < BLOCKS_MAX, "room for the record");
    linn_fault_size = size;
    struct block b = {linn_alloc(linn_fault_pool, size), size};
    if (b.p == NULL) {
        refused++;
        return;
    }
    fill(&b);
    blocks[block_count++] = b;
}

static void give(size_t i) {
    struct block b = blocks[i];
    look(&b);
    linn_fault_size = b.size;
    blocks[i] = blocks[--block_count];
    linn_free(b.p);
}

static void give_all(void) {
    while (block_count > 0)
        give(block_count - 1);
}

static const size_t sizes[] = {64,    1000,   2000,   8192,   30000,
                               60000, 200000, 600000, 1000000};

/* In another thread, one after the other with this one, so that runs are alike. */
static void *work_and_end(void *unused) {
    (void)unused;
    for (size_t i = block_count; i-- > 0;)
        if (i % 2 == 0) give(i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        take(sizes[s]);
    for (int i = 0; i < 100; i++)
        take(500);
    for (size_t i = block_count; i-- > 0;)
        if (i % 3 == 0) give(i);
    return NULL;
}

static void *work_and_die(void *unused) {
    (void)work_and_end(unused);
    syscall(SYS_exit, 0);
    return NULL;
}

static void in_thread(void *(*work)(void *)) {
    pthread_t thread;
    must(pthread_create(&thread, NULL, work, NULL) == 0, "a thread starts");
    pthread_join(thread, NULL);
}

static void be_whole(linn_pool *pool) {
    struct linn_pool_core *core = linn_pool_find(pool, "be_whole");
    for (uint32_t i = 0; i < core->set.count; i++) {
        must(linn_arena_is_valid_quiescent(core->set.arena[i]),
             "every arena is whole");
    }
    struct linn_counters c;
    c.size = sizeof c;
    must(linn_pool_counters(pool, &c), "figures");
    must(c.live_blocks == 0, "no block is live");
    linn_pool_reclaim(core);
    linn_pool_reclaim(core); /* a collector takes a class's stacks in turn */
    must(linn_pool_counters(pool, &c), "figures");
    must(c.live_blocks == 0 && c.cached_blocks == 0, "no block is cached");
    if (c.subpages != 0 || c.chunks != 0 || c.held_bytes != 0) {
        fprintf(stderr, "lost: %zu subpages, %zu chunks, %zu bytes\n",
                (size_t)c.subpages, (size_t)c.chunks, (size_t)c.held_bytes);
        must(false, "nothing is lost");
    }
}

/* A run, which serves whoever wants one to cut it. */
static void give_run(void) {
    size_t i = block_count - 1;
    while (i > 0 && blocks[i].size != 200000)
        i--;
    give(i);
}

static void work_in(linn_pool *pool) {
    linn_fault_pool = pool;
    for (int round = 0; round < 3; round++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            take(sizes[s]);
        take(3000000);
        for (int i = 0; i < 120; i++)
            take(1000); /* more than a subpage, more than a magazine */
        for (int i = 0; i < 20; i++)
            take(8192 * (size_t)(1 + i % 5));
        for (size_t i = block_count; i-- > 0;)
            if (i % 3 != 1) give(i);
        in_thread(work_and_end);
    }
    give_all();
    in_thread(work_and_die);
    /* In place, and by a move. */
    struct block b = {linn_alloc(pool, 3000), 3000};
    must(b.p != NULL, "memory");
    unsigned char *moved = linn_realloc(pool, b.p, 50000);
    must(moved != NULL, "memory");
    linn_free(moved);
    moved = linn_alloc_aligned(pool, 65536, 5000);
    must(moved != NULL && (uintptr_t)moved % 65536 == 0, "aligned memory");
    linn_free(moved);
    /* Whole groups, after they were cut: leaf words are united. */
    for (int i = 0; i < 130; i++)
        take(8192);
    give_all();
    take(1000000);
    give_all();
    /* The system refuses: caches are taken back, the dead are adopted. */
    take(64);
    linn_page_source_fail_always();
    for (size_t before = refused; refused == before;)
        take(200000);
    for (size_t before = refused; refused == before;)
        take(8192);
    take(600000);
    linn_page_source_fail_never();
    /* Somebody gives a block back while this thread maps a chunk: it is kept as the
     * spare, and serves the next one who needs a chunk. */
    linn_page_source_visit_next(give_run);
    take(8192);
    for (int i = 0; i < 40; i++)
        take(30000);
    /* All pages free, but cut: groups can be had by uniting them. */
    linn_page_source_fail_always();
    while (block_count > 1)
        give(block_count - 1);
    take(1000000);
    take(64);
    linn_page_source_fail_never();
    give_all();
}

static linn_pool *make(size_t cache) {
    struct linn_options options = LINN_OPTIONS_INIT;
    options.arenas = 1;      /* so that the other thread comes into it */
    options.chunk_order = 7; /* 1 MiB */
    options.cache = cache;
    linn_pool *pool = linn_pool_create(&options, NULL, 0);
    must(pool != NULL, "a pool is made");
    return pool;
}

int main(int argc, char **argv) {
    if (argc > 1) linn_fault_plan(argv[1]);
    linn_set_misuse_handler(on_misuse);
    linn_pool *pools[2] = {make(1), make(0)};
    for (int p = 0; p < 2; p++)
        work_in(pools[p]);
    linn_fault_pool = NULL;
    linn_fault_end_other();
    for (int p = 0; p < 2; p++) {
        be_whole(pools[p]);
        /* A cache to take back. */
        linn_free(linn_alloc(pools[p], 100));
        size_t live = 1;
        bool ended = linn_pool_destroy(pools[p], &live);
        must(live == 0, "no block is live");
        /* "False with 0": another is giving something back; call again. */
        if (!ended) ended = linn_pool_destroy(pools[p], &live);
        must(ended && live == 0, "a pool ends");
    }
    linn_fault_end_other();
    linn_fault_stop(); /* the other thread works in the default pool by now */
    be_whole(NULL);
    must(refused > 0, "some requests were refused");
    linn_fault_print();
    return 0;
}
