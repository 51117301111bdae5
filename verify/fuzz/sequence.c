#include "verify/fuzz/sequence.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/linn.h"

#define THREADS    4
#define BLOCKS_MAX 64
#define STALE_MAX  16
#define POOLS_MAX  4 /* 0 is the default one */
#define CALLS_MAX  400
#define GRANULE    ((size_t)1 << 20)

struct linn_fuzz_figures linn_fuzz_figures;

static void must(bool fact, const char *what) {
    if (fact) return;
    fprintf(stderr, "FAILED: %s\n", what);
    abort();
}

/* ---- bytes ---- */

static const uint8_t *input, *input_end;

static uint32_t byte(void) {
    return input < input_end ? *input++ : 0;
}

static uint32_t pick(uint32_t below) {
    return byte() % below;
}

/* ---- reports ---- */

static struct {
    unsigned count;
    char function[32], what[96];
    const void *pointer, *block;
    size_t bytes;
} told;

static void on_misuse(const struct linn_misuse *m) {
    told.count++;
    (void)snprintf(told.function, sizeof told.function, "%s", m->function);
    (void)snprintf(told.what, sizeof told.what, "%s", m->what);
    told.pointer = m->pointer;
    told.block = m->block;
    told.bytes = m->block_size;
    must(strstr(m->message, m->what) != NULL, "the message says what");
}

static void must_be_quiet(void) {
    if (told.count != 0) fprintf(stderr, "%s: %s\n", told.function, told.what);
    must(told.count == 0, "a right call is not reported");
}

/* Where the library says __func__, the twin's name is that of its symbol. */
static bool is_called(const char *function) {
    static const char twin[] = "linn_locked_";
    const char *name = told.function;
    size_t front =
        strncmp(name, twin, strlen(twin)) == 0 ? strlen(twin) : strlen("linn_");
    return strcmp(name + front, function + strlen("linn_")) == 0;
}

static void must_be_told(const char *function, const void *p) {
    must(told.count == 1, "a misuse is reported once");
    must(is_called(function), "the report names the function");
    must(told.pointer == p, "the report names the pointer");
    told.count = 0;
    linn_fuzz_figures.misuses++;
}

/* ---- threads, one at a time ---- */

static struct worker {
    pthread_t thread;
    bool runs;
    sem_t go, done;
} workers[THREADS];
static void (*task)(void);

static void *work(void *worker) {
    struct worker *me = worker;
    for (;;) {
        while (sem_wait(&me->go) != 0) {
        }
        void (*todo)(void) = task;
        if (todo != NULL) todo();
        sem_post(&me->done);
        if (todo == NULL) return NULL;
    }
}

/* Thread 0 is whoever called. */
static void on_thread(uint32_t t, void (*todo)(void)) {
    if (t == 0) {
        if (todo != NULL) todo();
        return;
    }
    struct worker *w = &workers[t];
    if (!w->runs) {
        if (todo == NULL) return;
        sem_init(&w->go, 0, 0);
        sem_init(&w->done, 0, 0);
        must(pthread_create(&w->thread, NULL, work, w) == 0, "a thread starts");
        w->runs = true;
    }
    task = todo;
    sem_post(&w->go);
    while (sem_wait(&w->done) != 0) {
    }
    if (todo == NULL) {
        pthread_join(w->thread, NULL);
        w->runs = false;
    }
}

/* ---- the model ---- */

struct pool {
    linn_pool *handle;
    bool exists;
    bool pooled;
    size_t chunk_bytes, alignment;
    uint64_t live, live_before;
};

struct block {
    unsigned char *p;
    size_t size, usable;
    uint32_t pool;
};

static struct pool pools[POOLS_MAX];
static linn_pool *gone; /* the handle of a pool that was destroyed, or NULL */
static struct block blocks[BLOCKS_MAX], stale[STALE_MAX];
static uint32_t block_count, stale_count;

static unsigned char mark_of(const struct block *b, size_t i) {
    return (unsigned char)(((uintptr_t)b->p >> 4) + b->size + i);
}

#define EDGE ((size_t)32) /* canaries at the beginning and at the end */

static void fill(const struct block *b) {
    for (size_t i = 0; i < b->size; i++) {
        if (i == EDGE && b->size > 2 * EDGE) i = b->size - EDGE;
        b->p[i] = mark_of(b, i);
    }
}

static void look(const struct block *b, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (i == EDGE && b->size > 2 * EDGE) i = b->size - EDGE;
        if (i >= bytes) break;
        must(b->p[i] == mark_of(b, i), "a block keeps its contents");
    }
}

static bool overlap(const struct block *a, const struct block *b) {
    return a->p < b->p + b->usable && b->p < a->p + a->usable;
}

/* The call that made it is over. */
static void add_block(struct block b) {
    for (uint32_t i = 0; i < block_count; i++)
        must(!overlap(&blocks[i], &b), "blocks do not overlap");
    uint32_t kept = 0;
    for (uint32_t i = 0; i < stale_count; i++) {
        struct block s = stale[i];
        if (s.pool != b.pool || s.usable != b.usable || overlap(&s, &b))
            continue;
        stale[kept++] = s;
    }
    stale_count = kept;
    fill(&b);
    blocks[block_count++] = b;
    linn_fuzz_figures.blocks++;
}

static void drop_block(uint32_t i) {
    if (stale_count == STALE_MAX) {
        stale_count--;
        memmove(stale, stale + 1, stale_count * sizeof *stale);
    }
    stale[stale_count++] = blocks[i];
    pools[blocks[i].pool].live--;
    blocks[i] = blocks[--block_count];
}

/* ---- calls ---- */

static struct {
    linn_pool *pool;
    void *p, *result;
    size_t size, alignment, bytes;
} call;

static void call_alloc(void) {
    call.result = linn_alloc(call.pool, call.size);
}
static void call_aligned(void) {
    call.result = linn_alloc_aligned(call.pool, call.alignment, call.size);
}
static void call_realloc(void) {
    call.result = linn_realloc(call.pool, call.p, call.size);
}
static void call_free(void) {
    linn_free(call.p);
}
static void call_usable(void) {
    call.bytes = linn_usable_size(call.p);
}
static void call_flush(void) {
    (void)linn_thread_flush();
}

static size_t pick_size(void) {
    uint32_t kind = pick(16), low = byte(), high = byte();
    size_t n = low | (size_t)high << 8;
    if (kind < 6) return n % 300;
    if (kind < 10) return n % 9000;
    if (kind < 13) return n * 3;
    if (kind < 14) return n * 20;
    if (kind < 15) return n * 60;
    return low < 200 ? 0 : SIZE_MAX - n;
}

static uint32_t pick_pool(void) {
    uint32_t i = pick(POOLS_MAX);
    return pools[i].exists ? i : 0;
}

static void do_alloc(uint32_t thread, bool aligned) {
    if (block_count == BLOCKS_MAX) return;
    uint32_t pool = pick_pool();
    struct pool *of = &pools[pool];
    call.pool = of->handle;
    call.size = pick_size();
    size_t alignment = of->alignment, good = 0;
    bool possible = call.size <= PTRDIFF_MAX;
    if (aligned) {
        uint32_t log2 = pick(25);
        call.alignment = ((size_t)1 << log2) + (pick(8) == 0);
        bool power = (call.alignment & (call.alignment - 1)) == 0;
        size_t most = of->chunk_bytes;
        if (!of->pooled && most < GRANULE) most = GRANULE;
        possible = possible && power && call.alignment <= most;
        if (call.alignment > alignment) alignment = call.alignment;
        on_thread(thread, call_aligned);
    } else {
        good = linn_good_size(call.pool, call.size);
        on_thread(thread, call_alloc);
    }
    must_be_quiet();
    must((call.result != NULL) == possible,
         "a block, or NULL where it must be");
    if (!possible) return;
    struct block b = {call.result, call.size, linn_usable_size(call.result),
                      pool};
    must_be_quiet();
    must(b.usable >= b.size && b.usable > 0, "as many bytes as asked for");
    must(aligned || b.usable == good, "good_size says what there will be");
    must((uintptr_t)b.p % alignment == 0, "aligned");
    of->live++;
    add_block(b);
}

static void do_free(uint32_t thread) {
    if (block_count == 0) return;
    uint32_t i = pick(block_count);
    look(&blocks[i], blocks[i].size);
    call.p = blocks[i].p;
    on_thread(thread, call_free);
    must_be_quiet();
    drop_block(i);
}

static void do_realloc(uint32_t thread) {
    if (block_count == 0) return;
    uint32_t i = pick(block_count);
    struct block old = blocks[i];
    look(&old, old.size);
    call.pool = pools[pick_pool()].handle; /* counts only for NULL */
    call.p = old.p;
    call.size = pick_size();
    on_thread(thread, call_realloc);
    must_be_quiet();
    if (call.size > PTRDIFF_MAX) {
        must(call.result == NULL, "what is too large is refused");
        look(&old, old.size);
        return;
    }
    must(call.result != NULL, "memory");
    struct block now = old;
    now.p = call.result;
    /* The contents are those of the old address and size. */
    size_t both = old.size < call.size ? old.size : call.size;
    for (size_t k = 0; k < both && k < EDGE; k++)
        must(now.p[k] == mark_of(&old, k), "realloc keeps the contents");
    if (both == old.size && both > EDGE) {
        must(now.p[both - 1] == mark_of(&old, both - 1),
             "realloc keeps the contents to the end");
    }
    now.size = call.size;
    now.usable = linn_usable_size(now.p);
    must_be_quiet();
    must(now.usable >= now.size, "as many bytes as asked for");
    if (now.p == old.p) {
        must(now.usable == old.usable, "in place is in place");
        blocks[i] = now;
        fill(&now);
        return;
    }
    drop_block(i);
    pools[old.pool].live++;
    add_block(now);
}

static void do_sizes(uint32_t thread) {
    if (block_count == 0) return;
    const struct block *b = &blocks[pick(block_count)];
    call.p = b->p;
    on_thread(thread, call_usable);
    must_be_quiet();
    must(call.bytes == b->usable, "the usable size stays");
}

/* One of the three functions that take a block, with a wrong one. */
static const char *misuse(uint32_t thread, const void *p) {
    static const struct {
        const char *name;
        void (*call)(void);
    } ways[] = {{"linn_free", call_free},
                {"linn_free", call_free},
                {"linn_realloc", call_realloc},
                {"linn_usable_size", call_usable}};
    uint32_t way = pick(4);
    call.pool = NULL;
    call.p = (void *)(uintptr_t)p;
    call.size = 100;
    call.result = NULL;
    call.bytes = 0;
    on_thread(thread, ways[way].call);
    must(call.result == NULL && call.bytes == 0, "a misused call does nothing");
    return ways[way].name;
}

static void do_free_twice(uint32_t thread) {
    if (stale_count == 0) return;
    struct block s = stale[pick(stale_count)];
    must_be_told(misuse(thread, s.p), s.p);
    /* Memory that went back to the system is not known any more. */
    must(strncmp(told.what, "already free", 12) == 0 ||
             strcmp(told.what, "not a pointer of linn's") == 0,
         "a block that is free is called free");
    must(told.block == NULL || (told.block == s.p && told.bytes == s.usable),
         "the report names the block");
}

static void do_inside(uint32_t thread) {
    if (block_count == 0) return;
    struct block b = blocks[pick(block_count)];
    size_t offset = byte() | (size_t)byte() << 8;
    offset = 1 + offset * 17 % (b.usable - 1);
    const void *p = b.p + offset;
    must_be_told(misuse(thread, p), p);
    must(strcmp(told.what, "inside a block, not its start") == 0,
         "inside is called inside");
    must(told.block == b.p && told.bytes == b.usable,
         "the report names the block");
}

static void do_foreign(uint32_t thread) {
    static char ours[64];
    char here;
    uint32_t which = pick(3);
    const void *p = which == 0   ? &ours[pick(64)]
                    : which == 1 ? &here
                                 : (const void *)(uintptr_t)(8 + 8 * pick(64));
    must_be_told(misuse(thread, p), p);
    must(strcmp(told.what, "not a pointer of linn's") == 0 &&
             told.block == NULL && told.bytes == 0,
         "foreign is called foreign");
}

static void do_gone(uint32_t thread) {
    if (gone == NULL) return;
    call.pool = gone;
    call.size = 100;
    on_thread(thread, call_alloc);
    must(call.result == NULL, "no block of a pool that is gone");
    must_be_told("linn_alloc", gone);
    must(strncmp(told.what, "no live pool has this handle", 28) == 0,
         "gone is called gone");
}

/* ---- pools ---- */

struct range {
    size_t offset, min, max;
    bool power_of_two;
    size_t values[6];
};

#define OPTION(field) offsetof(struct linn_options, field)
static const struct range ranges[] = {
    {OPTION(arenas), 0, 64, false, {0, 1, 2, 3, 64, 65}},
    {OPTION(page_size),
     4096,
     65536,
     true,
     {4096, 8192, 65536, 2048, 5000, 131072}},
    {OPTION(chunk_order), 0, 11, false, {0, 3, 6, 7, 11, 12}},
    {OPTION(small_cache), 0, 4096, false, {0, 1, 8, 256, 4096, 4097}},
    {OPTION(normal_cache), 0, 4096, false, {0, 1, 8, 64, 4096, 4097}},
    {OPTION(cached_max),
     0,
     524288,
     false,
     {0, 100, 10000, 131072, 524288, 524289}},
    {OPTION(cache_bytes),
     0,
     1 << 30,
     false,
     {0, 1000, 100000, 524288, 1 << 30, (1 << 30) + 1}},
    {OPTION(cache_sweep),
     1,
     UINT32_MAX,
     false,
     {1, 2, 16, 8192, UINT32_MAX, 0}},
    {OPTION(cache), 0, 1, false, {0, 1, 1, 1, 1, 2}},
    {OPTION(alignment), 16, 65536, true, {16, 64, 4096, 65536, 8, 48}},
    {OPTION(size_classes), 0, 1, false, {0, 1, 1, 0, 1, 2}},
};

static size_t get(const struct linn_options *o, size_t offset) {
    size_t value;
    memcpy(&value, (const char *)o + offset, sizeof value);
    return value;
}

static bool is_allowed(const struct linn_options *o) {
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        size_t value = get(o, ranges[i].offset);
        if (value == LINN_DEFAULT) continue;
        if (value < ranges[i].min || value > ranges[i].max) return false;
        if (ranges[i].power_of_two && (value & (value - 1)) != 0) return false;
    }
    size_t page = o->page_size == LINN_DEFAULT ? 8192 : o->page_size;
    return o->alignment == LINN_DEFAULT || o->alignment <= page;
}

static void do_create(void) {
    uint32_t i = 1 + pick(POOLS_MAX - 1);
    if (pools[i].exists) return;
    struct linn_options o = LINN_OPTIONS_INIT;
    uint32_t chosen = byte() | byte() << 8;
    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
        if ((chosen >> k & 1) == 0) continue;
        size_t value = ranges[k].values[pick(6)];
        memcpy((char *)&o + ranges[k].offset, &value, sizeof value);
    }
    char error[200] = "";
    linn_pool *made = linn_pool_create(&o, error, sizeof error);
    must_be_quiet();
    must((made != NULL) == is_allowed(&o), "a pool for allowed options alone");
    must((error[0] == '\0') == (made != NULL), "a reason for the others");
    if (made == NULL) {
        linn_fuzz_figures.refused_options++;
        return;
    }
    size_t page = o.page_size == LINN_DEFAULT ? 8192 : o.page_size;
    size_t order = o.chunk_order == LINN_DEFAULT ? 11 : o.chunk_order;
    pools[i] = (struct pool){made,
                             true,
                             o.arenas != 0,
                             page << order,
                             o.alignment == LINN_DEFAULT ? 16 : o.alignment,
                             0,
                             0};
    linn_fuzz_figures.pools++;
}

/* A cache that another thread was giving back is no reason here: one at a time. */
static void do_destroy(uint32_t i) {
    if (i == 0 || !pools[i].exists) return;
    size_t live = SIZE_MAX;
    bool ended = linn_pool_destroy(pools[i].handle, &live);
    must_be_quiet();
    must(live == pools[i].live, "destroy tells the live blocks");
    must(ended == (live == 0), "a pool ends when nothing is out");
    if (!ended) return;
    gone = pools[i].handle;
    pools[i].exists = false;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < stale_count; k++)
        if (stale[k].pool != i) stale[kept++] = stale[k];
    stale_count = kept;
}

static void do_figures(uint32_t i) {
    struct linn_counters c;
    c.size = sizeof c;
    must(linn_pool_counters(pools[i].handle, &c), "figures");
    must_be_quiet();
    must(c.live_blocks - pools[i].live_before == pools[i].live,
         "figures count what is out");
    must(c.allocations - c.frees == c.live_blocks, "figures add up");
}

/* ---- one sequence ---- */

static void begin(void) {
    struct linn_counters c;
    c.size = sizeof c;
    linn_set_misuse_handler(on_misuse);
    memset(&told, 0, sizeof told);
    memset(pools, 0, sizeof pools);
    must(linn_pool_counters(NULL, &c), "figures");
    pools[0] =
        (struct pool){NULL, true, true, 16 * GRANULE, 16, 0, c.live_blocks};
    block_count = stale_count = 0;
    gone = NULL;
}

static void end(void) {
    while (block_count > 0) {
        look(&blocks[0], blocks[0].size);
        linn_free(blocks[0].p);
        must_be_quiet();
        drop_block(0);
    }
    for (uint32_t i = 0; i < POOLS_MAX; i++)
        if (pools[i].exists) do_figures(i);
    for (uint32_t i = 1; i < POOLS_MAX; i++) {
        do_destroy(i);
        must(!pools[i].exists, "a pool without blocks ends");
    }
    for (uint32_t t = 0; t < THREADS; t++)
        if (t == 0 || workers[t].runs) on_thread(t, call_flush);
    must_be_quiet();
    linn_set_misuse_handler(NULL);
}

static void one_call(void) {
    uint32_t what = byte(), thread = what >> 5 & (THREADS - 1);
    switch (what % 16) {
        case 0:
        case 1:
        case 2:
            do_alloc(thread, false);
            break;
        case 3:
            do_alloc(thread, true);
            break;
        case 4:
        case 5:
        case 6:
            do_free(thread);
            break;
        case 7:
            do_realloc(thread);
            break;
        case 8:
            do_sizes(thread);
            break;
        case 9:
            do_free_twice(thread);
            break;
        case 10:
            do_inside(thread);
            break;
        case 11:
            do_foreign(thread);
            break;
        case 12:
            do_create();
            break;
        case 13:
            do_destroy(pick(POOLS_MAX));
            break;
        case 14:
            if (pick(4) == 0) {
                on_thread(thread, NULL); /* it ends, and another will start */
            } else {
                on_thread(thread, call_flush);
            }
            break;
        default:
            if (pick(2) == 0) {
                do_figures(pick_pool());
            } else {
                do_gone(thread);
            }
            break;
    }
    must_be_quiet();
    linn_fuzz_figures.calls++;
}

void linn_fuzz_sequence(const uint8_t *data, size_t bytes) {
    input = data;
    input_end = data + bytes;
    begin();
    for (int i = 0; i < CALLS_MAX && input < input_end; i++)
        one_call();
    end();
}
