/* Counts read-modify-writes with a library built to count (sync/count.h): what one
 * refill, one flush, an uncached run and a cached pair cost.  Prints each figure;
 * exit 1 when one is above its bound. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc/linn.h"
#include "sync/count.h"

static int faults, figures;

static uint64_t rmws(void) {
    uint64_t sum = 0;
    for (int layer = 0; layer < LINN_COUNT_LAYERS; layer++) {
        struct linn_count c;
        linn_count_read((enum linn_count_layer)layer, &c);
        sum += c.rmws;
    }
    return sum;
}

static void check(const char *what, size_t size, uint64_t found,
                  uint64_t bound) {
    printf("%s, %zu B: %llu read-modify-writes (at most %llu)\n", what, size,
           (unsigned long long)found, (unsigned long long)bound);
    figures++;
    if (found > bound) faults++;
}

static void *get(linn_pool *pool, size_t size) {
    void *block = linn_alloc(pool, size);
    if (block == NULL) exit(2);
    return block;
}

static uint64_t cached_blocks(linn_pool *pool) {
    struct linn_counters c;
    c.size = sizeof c;
    if (!linn_pool_counters(pool, &c)) exit(2);
    return c.cached_blocks;
}

/* A refill and a flush of 64 elements of one subpage. */
static void batch(linn_pool *pool, size_t size) {
    enum { WARM = 1000 };
    static void *blocks[WARM];
    for (int i = 0; i < WARM; i++)
        blocks[i] = get(pool, size);
    for (int i = 0; i < WARM; i++)
        linn_free(blocks[i]);
    (void)linn_thread_flush();
    if (cached_blocks(pool) != 0) faults++;

    uint64_t before = rmws();
    void *block = get(pool, size);
    uint64_t after = rmws();
    if (cached_blocks(pool) != 63) {
        printf("the refill brought %llu and not 64\n",
               (unsigned long long)cached_blocks(pool) + 1);
        faults++;
    }
    check("refill of 64", size, after - before, 4);

    before = rmws();
    for (int i = 0; i < 100; i++) {
        void *other = get(pool, size);
        linn_free(other);
    }
    check("100 cached pairs", size, rmws() - before, 0);

    linn_free(block);
    before = rmws();
    (void)linn_thread_flush();
    check("flush of 64", size, rmws() - before, 4);
    if (cached_blocks(pool) != 0) faults++;
}

static void run(linn_pool *pool, size_t size) {
    linn_free(get(pool, size)); /* the chunk is there */
    uint64_t before = rmws();
    linn_free(get(pool, size));
    check("uncached pair", size, rmws() - before, 4);
}

/* Every layer of the allocator that wrote to shared words is named as itself; a
 * source file without its SYNC_LAYER is counted under "other" instead. */
static void check_layers(void) {
    static const enum linn_count_layer worked[] = {
        LINN_COUNT_THREAD_CACHE, LINN_COUNT_SUBPAGE, LINN_COUNT_PAGE_TREE,
        LINN_COUNT_CHUNK,        LINN_COUNT_ARENA,   LINN_COUNT_PAGE_MAP,
        LINN_COUNT_HUGE,         LINN_COUNT_POOL,    LINN_COUNT_REGISTRY,
    };
    for (size_t i = 0; i < sizeof worked / sizeof worked[0]; i++) {
        struct linn_count c;
        linn_count_read(worked[i], &c);
        printf("%s: %llu loads, %llu stores, %llu read-modify-writes\n",
               linn_count_layer_name(worked[i]), (unsigned long long)c.loads,
               (unsigned long long)c.stores, (unsigned long long)c.rmws);
        figures++;
        if (c.stores + c.rmws > 0) continue;
        printf("%s: it worked, and no write was counted\n",
               linn_count_layer_name(worked[i]));
        faults++;
    }
}

int main(void) {
    linn_count_reset();
    char error[200];
    linn_pool *pool = linn_pool_create(NULL, error, sizeof error);
    if (pool == NULL) return 2;
    batch(pool, 64);
    batch(pool, 256);
    batch(pool, 1024);

    struct linn_options options = LINN_OPTIONS_INIT;
    options.cached_max = 0;
    linn_pool *uncached = linn_pool_create(&options, error, sizeof error);
    if (uncached == NULL) return 2;
    for (size_t size = 8192; size <= (size_t)4 << 20; size *= 2) {
        run(uncached, size);
    }
    linn_free(get(uncached, (size_t)32 << 20)); /* a huge one */
    check_layers();
    printf("%d figures, %d faults\n", figures, faults);
    return faults > 0 || figures < 28 ? 1 : 0;
}
