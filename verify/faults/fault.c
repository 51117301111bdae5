#include "verify/faults/fault.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/chunk.h"
#include "alloc/page_map.h"
#include "alloc/pool.h"
#include "alloc/thread_cache.h"
#include "sync/asym.h"
#include "sync/thread_registry.h"
#include "verify/faults/sites.h"

linn_pool *linn_fault_pool;
size_t linn_fault_size = 64;

static void die(const char *why) {
    fprintf(stderr, "FAILED: %s\n", why);
    abort();
}

/* ---- where ---- */

struct site {
    const char *file;
    int first, last;
    const char *label;
};

/* Made of the sources by sites.py; a tool that reads this file alone has none. */
static const struct site sites[] = {
#ifdef LINN_FAULT_SITES
#include "sites.inc"
#else
    {"", 0, 0, ""},
#endif
};
#define SITES (sizeof sites / sizeof *sites)

static unsigned hits[SITES];

static size_t site_of(const char *file, int line) {
    if (strncmp(file, "./", 2) == 0) file += 2;
    for (size_t i = 0; i < SITES; i++) {
        if (line >= sites[i].first && line <= sites[i].last &&
            strcmp(file, sites[i].file) == 0) {
            return i;
        }
    }
    fprintf(stderr, "%s:%d is in no list of sites\n", file, line);
    abort();
}

/* ---- the other thread ---- */

/* It works as any thread does, in whole calls, while the thread under test stands
 * before its compare-and-swap. */

#define KEPT_MAX 256

struct kept {
    unsigned char *p;
    linn_pool *pool;
    size_t size;
};

static struct {
    pthread_t thread;
    sem_t go, done;
    bool runs, end;
    int action;
    struct kept kept[KEPT_MAX];
    size_t kept_count;
} other;

/* Whoever else is not under test: no faults, no counts. */
static __thread bool is_other __attribute__((tls_model("initial-exec")));

static void keep(size_t size) {
    if (other.kept_count == KEPT_MAX) return;
    unsigned char *p = linn_alloc(linn_fault_pool, size);
    if (p == NULL) return;
    for (size_t b = 0; b < size; b += 61)
        p[b] = 0x5a;
    other.kept[other.kept_count++] = (struct kept){p, linn_fault_pool, size};
}

static void give(size_t i) {
    struct kept k = other.kept[i];
    for (size_t b = 0; b < k.size; b += 61)
        if (k.p[b] != 0x5a) die("a canary of the other thread is broken");
    linn_free(k.p);
    other.kept[i] = other.kept[--other.kept_count];
}

static void give_one(size_t size) {
    for (size_t i = other.kept_count; i-- > 0;) {
        if (other.kept[i].pool != linn_fault_pool) continue;
        if (other.kept[i].size != size) continue;
        give(i);
        return;
    }
}

static void give_all(size_t size) {
    for (size_t i = other.kept_count; i-- > 0;)
        if (size == 0 || other.kept[i].size == size) give(i);
}

static void *short_life(void *unused) {
    (void)unused;
    is_other = true;
    linn_free(linn_alloc(NULL, 100));
    return NULL;
}

enum {
    START_UP,
    TAKE,
    GIVE,
    GIVE_ALL,
    PAGES,
    GIVE_PAGES,
    GROUPS,
    GIVE_GROUPS,
    HUGE,
    RECLAIM,
    NEW_POOL,
    NEW_THREAD,
    ACTIONS
};

#define PAGE_BYTES  8192
#define GROUP_BYTES 600000
#define HUGE_BYTES  3000000

static void act(int action) {
    switch (action) {
        case START_UP:
            (void)linn_process_generation();
            (void)linn_asym_start();
            linn_thread_cache_start();
            linn_page_map_init();
            break;
        case TAKE:
            keep(linn_fault_size);
            break;
        case GIVE:
            give_one(linn_fault_size);
            break;
        case GIVE_ALL:
            give_all(linn_fault_size);
            break;
        case PAGES:
            keep(PAGE_BYTES);
            break;
        case GIVE_PAGES:
            give_all(PAGE_BYTES);
            break;
        case GROUPS:
            keep(GROUP_BYTES);
            break;
        case GIVE_GROUPS:
            give_all(GROUP_BYTES);
            break;
        case HUGE:
            keep(HUGE_BYTES);
            give_all(HUGE_BYTES);
            break;
        case RECLAIM:
            linn_pool_reclaim(linn_pool_find(linn_fault_pool, "other"));
            break;
        case NEW_POOL: {
            linn_pool *fresh = linn_pool_create(NULL, NULL, 0);
            if (fresh == NULL) break;
            linn_free(linn_alloc(fresh, 100));
            if (!linn_pool_destroy(fresh, NULL)) die("a fresh pool stays");
            break;
        }
        case NEW_THREAD: {
            pthread_t thread;
            if (pthread_create(&thread, NULL, short_life, NULL) != 0) break;
            pthread_join(thread, NULL);
            break;
        }
        default:
            break;
    }
    /* What it holds in its cache would change no word. */
    (void)linn_thread_flush();
}

static void *be_other(void *unused) {
    (void)unused;
    is_other = true;
    for (;;) {
        sem_wait(&other.go);
        if (other.end) break;
        act(other.action);
        sem_post(&other.done);
    }
    give_all(0);
    return NULL;
}

static void let_other(int action) {
    if (!other.runs) {
        sem_init(&other.go, 0, 0);
        sem_init(&other.done, 0, 0);
        other.end = false;
        if (pthread_create(&other.thread, NULL, be_other, NULL) != 0) {
            die("the other thread does not start");
        }
        other.runs = true;
    }
    other.action = action;
    sem_post(&other.go);
    while (sem_wait(&other.done) != 0) {
    }
}

void linn_fault_end_other(void) {
    if (!other.runs) return;
    other.end = true;
    sem_post(&other.go);
    pthread_join(other.thread, NULL);
    other.runs = false;
}

/* ---- what ---- */

static struct {
    bool known;
    char label[16], how[8];
    enum { NEVER, FIRST, SECOND, DICE } when;
    uint64_t dice;
    unsigned seen, tried, failed;
    bool pending;
} plan;

void linn_fault_plan(const char *text) {
    plan.known = true;
    char when[32];
    if (text == NULL) return;
    if (sscanf(text, "%15[^:]:%7[^:]:%31s", plan.label, plan.how, when) != 3) {
        die("LINN_FAULT is not LABEL:HOW:WHEN");
    }
    plan.when = strcmp(when, "first") == 0    ? FIRST
                : strcmp(when, "second") == 0 ? SECOND
                                              : DICE;
    plan.dice = strtoull(when, NULL, 10) * 2654435761u + 1;
}

static bool is_due(const char *label) {
    if (plan.when == NEVER || strcmp(label, plan.label) != 0) return false;
    plan.seen++;
    /* The first, or the second, that can be made to fail. */
    if (plan.when == FIRST) return plan.failed == 0 && plan.tried < 150;
    if (plan.when == SECOND) {
        return plan.seen > 1 && plan.failed == 0 && plan.tried < 150;
    }
    plan.dice ^= plan.dice << 13;
    plan.dice ^= plan.dice >> 7;
    plan.dice ^= plan.dice << 17;
    return plan.tried < 150 && (plan.dice >> 33) % 3 == 0;
}

static const size_t width_bytes[] = {4, 8, 16};

/* Two operations of another thread on a stack: a node is popped and pushed. */
static bool turn_tag(void *word, const void *seen) {
    sync_pair_value now, next;
    memcpy(&now, seen, sizeof now);
    next = now;
    next.high += 2;
    return (sync_pair_cas_acq_rel_acquire)(word, &now, next);
}

/* One page reserved by another thread, not found, and returned: only where that
 * leaves the band as it is. */
static bool turn_version(void *word, const void *seen) {
    struct linn_chunk *chunk =
        (struct linn_chunk *)((char *)word -
                              offsetof(struct linn_chunk, guard));
    const struct linn_bands *bands = &chunk->pool->bands;
    uint64_t now;
    memcpy(&now, seen, sizeof now);
    struct linn_guard g = linn_guard_unpack(now);
    uint64_t there = now, back;
    if (!linn_guard_step_reserve(bands, &there, 1)) return false;
    if (linn_guard_unpack(there).band != g.band) return false;
    back = there;
    if (!linn_guard_step_return(bands, &back, 1)) return false;
    if (linn_guard_unpack(back).band != g.band) return false;
    return (sync_u64_cas_acq_rel_relaxed)((sync_u64 *)word, &now, back);
}

bool linn_fault_before(const char *file, int line, void *word, const void *seen,
                       enum linn_fault_width width) {
    if (!plan.known) linn_fault_plan(getenv("LINN_FAULT"));
    if (is_other) return false;
    size_t site = site_of(file, line);
    hits[site]++;
    if (!is_due(sites[site].label)) return false;
    size_t bytes = width_bytes[width];
    if (memcmp(word, seen, bytes) != 0) return false; /* it fails by itself */
    plan.tried++;
    plan.pending = true;
    if (strcmp(plan.how, "weak") == 0) {
        return true;
    }
    if (strcmp(plan.how, "tag") == 0) {
        if (!turn_tag(word, seen)) die("a tag that does not turn");
        return false;
    }
    if (strcmp(plan.how, "ver") == 0) {
        (void)turn_version(word, seen);
        return false;
    }
    /* Nothing else is under test while the other works. */
    for (int action = 0; action < ACTIONS; action++) {
        let_other(action);
        if (memcmp(word, seen, bytes) != 0) break;
    }
    return false;
}

void linn_fault_stop(void) {
    plan.when = NEVER;
}

void linn_fault_after(bool done) {
    if (is_other || !plan.pending) return;
    plan.pending = false;
    plan.failed += !done;
}

void linn_fault_print(void) {
    for (size_t i = 0; i < SITES; i++) {
        printf("site %s:%d %s %u\n", sites[i].file, sites[i].first,
               sites[i].label, hits[i]);
    }
    printf("tried %u failed %u\n", plan.tried, plan.failed);
}
