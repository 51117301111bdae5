#include "alloc/page_source.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* The plan of faults. */
#define MODE_SHIFT    62
#define ARGUMENT_MASK ((UINT64_C(1) << MODE_SHIFT) - 1)
enum mode { MODE_NEVER, MODE_ALWAYS, MODE_AFTER, MODE_EVERY };

struct linn_page_source_state linn_page_source_state;

static uint64_t plan_of(enum mode mode, uint64_t argument) {
    return (uint64_t)mode << MODE_SHIFT | (argument & ARGUMENT_MASK);
}

static void set_plan(enum mode mode, uint64_t argument) {
    /* PS.P1 relaxed: who counts on the plan starts after it. */
    sync_u64_store_relaxed(&linn_page_source_state.plan,
                           plan_of(mode, argument));
}

static void count_call(void) {
    /* PS.C1 relaxed: a statistic. */
    sync_u64_fetch_add_relaxed(&linn_page_source_state.calls, 1);
}

/* Mixes the bits of a counter (Steele, Lea, Flood: SplitMix64), so that threads
 * share one sequence without holding anything. */
static uint64_t throw_dice(void) {
    /* PS.D1 relaxed: each throw has a number of its own. */
    uint64_t x =
        sync_u64_fetch_add_relaxed(&linn_page_source_state.dice, 1) + 1;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The plan after one more call; true when that call fails. */
static bool step_plan(uint64_t *plan) {
    switch ((enum mode)(*plan >> MODE_SHIFT)) {
        case MODE_NEVER:
            return false;
        case MODE_ALWAYS:
            return true;
        case MODE_EVERY:
            return throw_dice() % (*plan & ARGUMENT_MASK) == 0;
        case MODE_AFTER:
            break;
    }
    if ((*plan & ARGUMENT_MASK) > 0) {
        *plan -= 1;
        return false;
    }
    *plan = plan_of(MODE_NEVER, 0);
    return true;
}

static bool fails_by_plan(void) {
    /* PS.P2 relaxed: PS.P3 decides. */
    uint64_t seen = sync_u64_load_relaxed(&linn_page_source_state.plan);
    uint64_t next;
    bool fails;
    do {
        next = seen;
        fails = step_plan(&next);
        if (next == seen) break;
        /* PS.P3 relaxed: exactly one call is the n-th. */
    } while (!sync_u64_cas_relaxed_relaxed(&linn_page_source_state.plan, &seen,
                                           next));
    /* PS.C1 relaxed: a statistic. */
    if (fails) sync_u64_fetch_add_relaxed(&linn_page_source_state.faults, 1);
    return fails;
}

void linn_page_source_visit_next(void (*visit)(void)) {
    void *word;
    _Static_assert(sizeof word == sizeof visit, "functions fit a word");
    memcpy(&word, &visit, sizeof word);
    /* PS.V1 release, pairs with PS.V3: what the visitor needs is there. */
    sync_ptr_store_release(&linn_page_source_state.visitor, word);
}

static void let_visitor_in(void) {
    sync_ptr *visitor = &linn_page_source_state.visitor;
    /* PS.V2 relaxed: PS.V3 decides. */
    if (sync_ptr_load_relaxed(visitor) == NULL) return;
    /* PS.V3 acquire, pairs with PS.V1: who gets it is the one who calls it. */
    void *word = sync_ptr_exchange_acquire(visitor, NULL);
    if (word == NULL) return;
    void (*visit)(void);
    memcpy(&visit, &word, sizeof visit);
    visit();
}

/* Whether a call that may fail is to fail; every such call asks first. */
static bool is_refused(void) {
    let_visitor_in();
    return fails_by_plan();
}

/* The four calls.  None of them changes errno: an allocator's caller may be
 * between a failed call of its own and the look at errno. */

static void *os_map(size_t bytes, int protection, int flags) {
    if (is_refused()) return NULL;
    int saved = errno;
    count_call();
    void *p = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags,
                   -1, 0);
    errno = saved;
    return p == MAP_FAILED ? NULL : p;
}

static bool os_unmap(void *p, size_t bytes) {
    int saved = errno;
    count_call();
    bool done = munmap(p, bytes) == 0;
    errno = saved;
    return done;
}

static bool os_advise(void *p, size_t bytes, int advice) {
    int saved = errno;
    count_call();
    bool done = madvise(p, bytes, advice) == 0;
    errno = saved;
    return done;
}

static bool os_enable(void *p, size_t bytes) {
    if (is_refused()) return false;
    int saved = errno;
    count_call();
    bool done = mprotect(p, bytes, PROT_READ | PROT_WRITE) == 0;
    errno = saved;
    return done;
}

/* Maps more than is needed and gives back what lies before and after the
 * aligned part.  The last aligned part is kept: the kernel looks for addresses
 * from above, so the next map of this size lands right below, aligned. */
static void *map_and_trim(size_t bytes, size_t alignment) {
    /* No overflow: bytes < alignment <= 2^63, or so many were mapped before. */
    char *all = os_map(bytes + alignment, PROT_READ | PROT_WRITE, 0);
    if (all == NULL) return NULL;
    size_t below = alignment - ((uintptr_t)all & (alignment - 1));
    size_t above = alignment - below;
    if (above > 0) linn_page_source_unmap(all + below + bytes, above);
    linn_page_source_unmap(all, below);
    return all + below;
}

void *linn_page_source_map(size_t bytes, size_t alignment) {
    /* With a larger alignment luck is too rare to try. */
    if (alignment <= bytes) {
        void *p = os_map(bytes, PROT_READ | PROT_WRITE, 0);
        if (p == NULL) return NULL;
        if (((uintptr_t)p & (alignment - 1)) == 0) return p;
        linn_page_source_unmap(p, bytes);
    }
    return map_and_trim(bytes, alignment);
}

void *linn_page_source_reserve(size_t bytes) {
    return os_map(bytes, PROT_READ | PROT_WRITE, MAP_NORESERVE);
}

void *linn_page_source_reserve_readable(size_t bytes) {
    return os_map(bytes, PROT_READ, MAP_NORESERVE);
}

bool linn_page_source_enable(void *p, size_t bytes) {
    return os_enable(p, bytes);
}

void linn_page_source_unmap(void *p, size_t bytes) {
    if (!os_unmap(p, bytes)) os_advise(p, bytes, MADV_DONTNEED);
}

/* DONTNEED refuses memory that the user has locked (mlockall), DONTNEED_LOCKED
 * is of Linux 5.18; what neither gives back can still be made zero. */
void linn_page_source_purge(void *p, size_t bytes) {
    if (os_advise(p, bytes, MADV_DONTNEED)) return;
    if (os_advise(p, bytes, MADV_DONTNEED_LOCKED)) return;
    memset(p, 0, bytes);
}

uint64_t linn_page_source_calls(void) {
    /* PS.C2 relaxed: a statistic. */
    return sync_u64_load_relaxed(&linn_page_source_state.calls);
}

uint64_t linn_page_source_faults(void) {
    /* PS.C2 relaxed: a statistic. */
    return sync_u64_load_relaxed(&linn_page_source_state.faults);
}

void linn_page_source_fail_after(uint64_t n) {
    set_plan(MODE_AFTER, n);
}

void linn_page_source_fail_always(void) {
    set_plan(MODE_ALWAYS, 0);
}

void linn_page_source_fail_every(uint32_t one_in_n) {
    if (one_in_n == 0) {
        set_plan(MODE_NEVER, 0);
    } else {
        set_plan(MODE_EVERY, one_in_n);
    }
}

void linn_page_source_fail_never(void) {
    set_plan(MODE_NEVER, 0);
}
