#define SYNC_LAYER LINN_COUNT_REGISTRY

#include "sync/thread_registry.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the word ---- */

#define STATE_BITS   3
#define ADOPTER_BITS 17
#define PROCESS_BITS 20
#define LIFE_BITS    24

#define ADOPTER_SHIFT STATE_BITS
#define PROCESS_SHIFT (ADOPTER_SHIFT + ADOPTER_BITS)
#define LIFE_SHIFT    (PROCESS_SHIFT + PROCESS_BITS)

#define MASK(bits) ((UINT64_C(1) << (bits)) - 1)

_Static_assert(LIFE_SHIFT + LIFE_BITS == 64, "the word is full");
_Static_assert(LINN_THREADS_MAX < 1 << ADOPTER_BITS, "index + 1 fits");
_Static_assert(sizeof(struct linn_thread) % LINN_CACHE_LINE == 0,
               "the payload begins on a line of its own");

static enum linn_thread_state state_of(uint64_t word) {
    return (enum linn_thread_state)(word & MASK(STATE_BITS));
}

static uint32_t adopter_of(uint64_t word) {
    return (uint32_t)(word >> ADOPTER_SHIFT & MASK(ADOPTER_BITS));
}

static uint32_t life_of(uint64_t word) {
    return (uint32_t)(word >> LIFE_SHIFT);
}

static bool is_of_process(uint64_t word, uint64_t process) {
    return (word >> PROCESS_SHIFT & MASK(PROCESS_BITS)) ==
           (process & MASK(PROCESS_BITS));
}

static uint64_t word_of(uint32_t life, uint64_t process, uint32_t adopter,
                        enum linn_thread_state state) {
    return (life & MASK(LIFE_BITS)) << LIFE_SHIFT |
           (process & MASK(PROCESS_BITS)) << PROCESS_SHIFT |
           (uint64_t)adopter << ADOPTER_SHIFT | (uint64_t)state;
}

/* The same life and process in another state. */
static uint64_t step_to(uint64_t word, uint32_t adopter,
                        enum linn_thread_state state) {
    uint64_t kept = word & ~MASK(ADOPTER_BITS + STATE_BITS);
    return kept | (uint64_t)adopter << ADOPTER_SHIFT | (uint64_t)state;
}

/* ---- what a thread knows of itself ---- */

/* Initial-exec, because the general model may allocate at the first access, and
 * this runs in signal handlers and under an allocator. */
static __thread struct {
    struct linn_thread *own;
    const struct robust_list_head *robust;
    bool inside;   /* this module, or a handler that has interrupted it */
    bool adopting; /* between adopt_begin and adopt_end or abandon */
    bool ended;
    uint8_t rounds; /* of the thread's destructors */
} me __attribute__((tls_model("initial-exec")));

/* ATOMIC the words of this file that are not in a record
 *   TR.I1 stride load   relaxed  a number that never changes once it is set
 *   TR.I2 stride cas    relaxed  the first one to come sets it
 *   TR.M1 map    load   acquire  pairs TR.M2  the segment's records are set up
 *   TR.M2 map    cas    release  pairs TR.M1
 *   TR.X1 limit  load   relaxed  a record that it does not show yet has nothing
 *                                to be found (sync/reclaim.c says why)
 *   TR.X2 limit  cas    relaxed  a locked instruction, before the record is LIVE
 *   TR.B1 begin  load   relaxed  hint where to search
 *   TR.B2 begin  cas    relaxed  hint
 *   TR.B3 begin  load   acquire  pairs TR.B4  who is told of a record sees it
 *                                FREE, and does not advance the hint over it
 *   TR.B4 lower  cas    release  pairs TR.B3
 *   TR.K1 key    load   acquire  pairs TR.K3  the key is created
 *   TR.K2 key    cas    relaxed  one thread creates it
 *   TR.K3 key    store  release  pairs TR.K1
 *   TR.Q1 hook   load   acquire  pairs TR.Q2
 *   TR.Q2 hook   store  release  pairs TR.Q1
 *   TR.T1 test   load   relaxed  settings of tests, made before their threads
 *   TR.T2 test   store  relaxed
 *   TR.T3 test   cas    relaxed  the life of a FREE record
 *   TR.G1 page   load   acquire  pairs TR.G2  the page is wiped on fork
 *   TR.G2 page   cas    release  pairs TR.G1
 *   TR.P1 now    load   relaxed  the number is its whole meaning
 *   TR.P2 now    cas    relaxed  the first one in a new process sets it
 *   TR.P3 last   add    relaxed  each candidate is used once
 *   TR.P4 wipe   store  relaxed  in the fork handler, alone
 *   TR.V1 open   load   acquire  pairs TR.V2  the survivor has moved its payload
 *   TR.V2 open   store  release  pairs TR.V1 */
static sync_u64 stride_bytes;
static sync_ptr segments[LINN_THREADS_MAX / LINN_THREADS_PER_SEGMENT];
static sync_u32 limit;
static sync_u64 search_begin; /* { version of the hint : 32 | index : 32 } */
static sync_u32 key_state;
static pthread_key_t key;
static sync_ptr exit_hook;
static sync_u32 max_records = {LINN_THREADS_MAX};
static sync_ptr probe_function;
static sync_u32 without_wipe;
static sync_ptr generation_page;
static sync_u64 generation_unwiped; /* used instead of the page */
static sync_u64 generation_last;
static sync_u64 adoption_open; /* the process generation it is open in */

enum { KEY_NONE, KEY_BUSY, KEY_READY };

static void die(const char *why) {
    ssize_t ignored = write(STDERR_FILENO, why, strlen(why));
    (void)ignored;
    abort();
}

static void run_probe(void) {
    void *f = sync_ptr_load_relaxed(&probe_function); /* TR.T1 */
    if (__builtin_expect(f != NULL, 0)) ((void (*)(void))f)();
}

/* Whether the calling thread is between two steps of locking or unlocking some
 * robust mutex; also when the kernel will not say, or there is no list. */
static bool robust_list_is_busy(void) {
    if (me.robust == NULL) {
        struct robust_list_head *head = NULL;
        size_t length = 0;
        int saved = errno;
        if (syscall(SYS_get_robust_list, 0, &head, &length) != 0) head = NULL;
        errno = saved;
        /* The address is the thread's for life; a forked child has it too. */
        me.robust = head;
        if (head == NULL) return true;
    }
    return me.robust->list_op_pending != NULL;
}

/* True if the caller may lock and unlock records; then module_leave. */
static bool module_enter(void) {
    if (me.inside) return false;
    me.inside = true;
    sync_compiler_barrier(); /* a handler from here on is refused */
    if (!robust_list_is_busy()) return true;
    sync_compiler_barrier();
    me.inside = false;
    return false;
}

static void module_leave(void) {
    sync_compiler_barrier();
    me.inside = false;
}

/* ---- process generation ---- */

/* The word that reads 0 in a forked child: in a page that the kernel wipes, or
 * one that the fork handler sets to 0. */
static sync_u64 *generation_word(void) {
    /* TR.G1 acquire, pairs with TR.G2: the advice was given before. */
    void *page = sync_ptr_load_acquire(&generation_page);
    if (__builtin_expect(page != NULL, 1)) return (sync_u64 *)page;
    int saved = errno;
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *mine = page;
    if (page == MAP_FAILED ||
        sync_u32_load_relaxed(&without_wipe) != 0 || /* TR.T1 */
        madvise(page, bytes, MADV_WIPEONFORK) != 0) {
        mine = &generation_unwiped;
    }
    void *seen = NULL;
    /* TR.G2 release, pairs with TR.G1. */
    if (sync_ptr_cas_release_relaxed(&generation_page, &seen, mine)) {
        seen = mine;
    }
    if (page != MAP_FAILED && seen != page) munmap(page, bytes);
    errno = saved;
    return (sync_u64 *)seen;
}

uint64_t linn_process_generation(void) {
    sync_u64 *word = generation_word();
    uint64_t now = sync_u64_load_relaxed(word); /* TR.P1 */
    if (__builtin_expect(now != 0, 1)) return now;
    /* TR.P3 relaxed: advanced before it is installed, so that a child forked in
     * between takes a later number and not the same one. */
    uint64_t next = sync_u64_fetch_add_relaxed(&generation_last, 1) + 1;
    /* TR.P2 relaxed: every thread of this process then reads the same. */
    return sync_u64_cas_relaxed_relaxed(word, &now, next) ? next : now;
}

static void open_adoption_in(uint64_t process) {
    /* TR.V2 release, pairs with TR.V1. */
    sync_u64_store_release(&adoption_open, process);
}

/* In a child made by fork(), where the calling thread is alone.  A child made by
 * a bare system call does without: the page is wiped all the same, and adoption
 * opens when the survivor has re-registered. */
static void after_fork_in_child(void) {
    sync_u64 *word = generation_word();
    if (word == &generation_unwiped) {
        sync_u64_store_relaxed(word, 0); /* TR.P4 */
    }
    uint64_t process = linn_process_generation();
    /* A thread interrupted inside this module is not asked what it has. */
    if (me.own == NULL && !me.inside && !me.adopting) open_adoption_in(process);
}

bool linn_thread_is_stale(const struct linn_thread *t) {
    uint64_t word = sync_u64_load_relaxed(&t->word); /* TR.H1 */
    return state_of(word) != LINN_THREAD_FREE &&
           !is_of_process(word, linn_process_generation());
}

void linn_process_generation_without_wipe(void) {
    sync_u32_store_relaxed(&without_wipe, 1); /* TR.T2 */
    /* The constructor has made the page already: forget it.  TR.T2 */
    sync_ptr_store_relaxed(&generation_page, NULL);
}

/* ---- thread exit ---- */

/* ThreadSanitizer ends its own view of a thread in the last round, and crashes on
 * an instrumented access after that: under it, ours is the round before. */
#if defined(__SANITIZE_THREAD__)
#define LAST_ROUND (PTHREAD_DESTRUCTOR_ITERATIONS - 1)
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LAST_ROUND (PTHREAD_DESTRUCTOR_ITERATIONS - 1)
#endif
#endif
#ifndef LAST_ROUND
#define LAST_ROUND PTHREAD_DESTRUCTOR_ITERATIONS
#endif

static void thread_ends(void *value) {
    if (++me.rounds < LAST_ROUND && pthread_setspecific(key, value) == 0) {
        return; /* other destructors may still use us */
    }
    /* From here on nothing registers again, the hook neither. */
    me.ended = true;
    if (me.own == NULL) return;
    /* TR.Q1 acquire, pairs with TR.Q2: what the hook uses is set up. */
    void *hook = sync_ptr_load_acquire(&exit_hook);
    if (hook != NULL) {
        ((void (*)(struct linn_thread *))hook)(me.own);
    } else {
        linn_thread_unregister(me.own);
    }
}

/* Whether there is a key.  Does not wait for another thread that makes it. */
static bool key_is_ready(void) {
    /* TR.K1 acquire, pairs with TR.K3. */
    uint32_t seen = sync_u32_load_acquire(&key_state);
    if (seen != KEY_NONE) return seen == KEY_READY;
    /* TR.K2 relaxed: decides who creates it. */
    if (!sync_u32_cas_relaxed_relaxed(&key_state, &seen, KEY_BUSY)) {
        return false;
    }
    if (pthread_key_create(&key, thread_ends) != 0) return false;
    /* TR.K3 release, pairs with TR.K1. */
    sync_u32_store_release(&key_state, KEY_READY);
    return true;
}

void linn_thread_registry_at_exit(void (*hook)(struct linn_thread *t)) {
    /* TR.Q2 release, pairs with TR.Q1. */
    sync_ptr_store_release(&exit_hook, (void *)hook);
}

bool linn_thread_ended(void) {
    return me.ended;
}

__attribute__((constructor)) static void start_early(void) {
    (void)linn_process_generation();
    (void)key_is_ready();
    /* Without the handler (no memory) the page still tells a fork. */
    (void)pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* ---- records ---- */

void linn_thread_registry_init(size_t payload_bytes) {
    size_t line = LINN_CACHE_LINE;
    uint64_t stride =
        sizeof(struct linn_thread) + (payload_bytes + line - 1) / line * line;
    uint64_t seen = 0;
    /* TR.I2 relaxed: the number is its whole meaning. */
    if (!sync_u64_cas_relaxed_relaxed(&stride_bytes, &seen, stride) &&
        seen != stride) {
        die("linn_thread_registry_init: another payload size before\n");
    }
}

static struct linn_thread *record_in(void *segment, uint32_t index,
                                     uint64_t stride) {
    uint64_t place = index % LINN_THREADS_PER_SEGMENT;
    return (struct linn_thread *)(void *)((char *)segment + place * stride);
}

struct linn_thread *linn_thread_at(uint32_t index) {
    if (index >= LINN_THREADS_MAX) return NULL;
    /* TR.M1 acquire, pairs with TR.M2: its records are set up. */
    void *segment =
        sync_ptr_load_acquire(&segments[index / LINN_THREADS_PER_SEGMENT]);
    if (segment == NULL) return NULL;
    /* TR.I1 relaxed: set before any segment was made. */
    return record_in(segment, index, sync_u64_load_relaxed(&stride_bytes));
}

static void init_mutex(struct linn_thread *t) {
    pthread_mutexattr_t robust;
    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&t->alive, &robust);
    pthread_mutexattr_destroy(&robust);
}

/* linn_thread_at, and makes the segment; NULL without memory. */
static struct linn_thread *record_at(uint32_t index) {
    struct linn_thread *t = linn_thread_at(index);
    if (t != NULL) return t;
    uint64_t stride = sync_u64_load_relaxed(&stride_bytes); /* TR.I1 */
    if (stride == 0) die("linn_thread_register: before init\n");
    size_t bytes = LINN_THREADS_PER_SEGMENT * stride;
    int saved = errno;
    void *segment = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = saved;
    if (segment == MAP_FAILED) return NULL;
    uint32_t first = index - index % LINN_THREADS_PER_SEGMENT;
    for (uint32_t i = 0; i < LINN_THREADS_PER_SEGMENT; i++) {
        t = record_in(segment, i, stride);
        t->index = first + i;
        init_mutex(t); /* the words are 0: FREE, no section */
    }
    void *seen = NULL;
    /* TR.M2 release, pairs with TR.M1.  The loser takes the winner's. */
    if (!sync_ptr_cas_release_relaxed(
            &segments[index / LINN_THREADS_PER_SEGMENT], &seen, segment)) {
        munmap(segment, bytes);
    }
    return linn_thread_at(index);
}

uint32_t linn_thread_limit(void) {
    return sync_u32_load_relaxed(&limit); /* TR.X1 */
}

static void raise_limit(uint32_t to) {
    uint32_t seen = sync_u32_load_relaxed(&limit); /* TR.X1 */
    while (seen < to) {
        /* TR.X2 relaxed: see the card. */
        if (sync_u32_cas_relaxed_relaxed(&limit, &seen, to)) return;
    }
}

/* Where the search begins.  No FREE record is below, but those whose last user
 * was killed before it could say so, and those are found in the end.  The
 * version keeps a claimer from advancing the hint over a record freed behind
 * its back. */
static void lower_search_begin(uint32_t index) {
    uint64_t seen = sync_u64_load_relaxed(&search_begin); /* TR.B1 */
    uint64_t next;
    do {
        uint32_t low = (uint32_t)seen < index ? (uint32_t)seen : index;
        next = ((seen >> 32) + 1) << 32 | low;
        /* TR.B4 release, pairs with TR.B3: the record is FREE, its mutex too. */
    } while (!sync_u64_cas_release_relaxed(&search_begin, &seen, next));
}

static void advance_search_begin(uint64_t seen, uint32_t index) {
    uint64_t next = (seen & ~MASK(32)) | (index + 1);
    /* TR.B2 relaxed: a hint; on failure somebody knows better. */
    (void)sync_u64_cas_relaxed_relaxed(&search_begin, &seen, next);
}

/* Whether the mutex is ours now.  Always consistent when it is, so that no way
 * of giving it back makes it unusable. */
static bool trylock(struct linn_thread *t, bool *owner_died) {
    int outcome = pthread_mutex_trylock(&t->alive);
    *owner_died = outcome == EOWNERDEAD;
    if (*owner_died) pthread_mutex_consistent(&t->alive);
    return outcome == 0 || *owner_died;
}

static bool try_claim(struct linn_thread *t, uint64_t process) {
    /* TR.L1 acquire, pairs with TR.E1: the mutex may be a new one. */
    uint64_t word = sync_u64_load_acquire(&t->word);
    if (state_of(word) != LINN_THREAD_FREE) return false;
    bool owner_died; /* while it claimed or freed the record: it is FREE */
    if (!trylock(t, &owner_died)) return false;
    run_probe();
    word = sync_u64_load_relaxed(&t->word); /* TR.H1 */
    if (state_of(word) == LINN_THREAD_FREE) {
        raise_limit(t->index + 1);
        uint64_t next =
            word_of(life_of(word) + 1, process, 0, LINN_THREAD_LIVE);
        /* TR.A1 acq_rel, pairs with TR.F1 and TR.E1: who had the payload before
         * us is done with it. */
        if (sync_u64_cas_acq_rel_relaxed(&t->word, &word, next)) return true;
    }
    pthread_mutex_unlock(&t->alive);
    return false;
}

/* The first record of [from, to) that could be claimed, or NULL. */
static struct linn_thread *claim_between(uint32_t from, uint32_t to,
                                         uint64_t process) {
    for (uint32_t i = from; i < to; i++) {
        struct linn_thread *t = record_at(i);
        if (t == NULL) return NULL; /* no memory */
        if (try_claim(t, process)) return t;
    }
    return NULL;
}

struct linn_thread *linn_thread_register(void) {
    if (me.ended) return NULL;
    if (me.own != NULL && !linn_thread_is_stale(me.own)) return me.own;
    if (!module_enter()) return NULL;
    /* Asked before the mutex is locked: should a handler fork in between, the
     * record is stale from the start in the child, where the mutex is nobody's. */
    uint64_t process = linn_process_generation();
    /* TR.B3 acquire, pairs with TR.B4: a record that the hint names is seen FREE. */
    uint64_t begin = sync_u64_load_acquire(&search_begin);
    uint32_t max = sync_u32_load_relaxed(&max_records); /* TR.T1 */
    struct linn_thread *t = claim_between((uint32_t)begin, max, process);
    if (t != NULL) {
        advance_search_begin(begin, t->index);
    } else {
        uint32_t end = (uint32_t)begin < max ? (uint32_t)begin : max;
        t = claim_between(0, end, process);
    }
    if (t != NULL) {
        me.own = t;
        /* Without a key, or without memory for its value, the mutex alone tells
         * that the thread has ended. */
        if (key_is_ready()) (void)pthread_setspecific(key, t);
    }
    module_leave();
    return t;
}

void linn_thread_unregister(struct linn_thread *t) {
    if (me.own == t) me.own = NULL;
    if (sync_u64_load_relaxed(&t->section) != 0) { /* RC.O1 */
        die("linn_thread_unregister: inside a read section\n");
    }
    if (linn_thread_is_stale(t)) return; /* its mutex is not ours here */
    if (!module_enter()) return;         /* adopted after our death */
    uint64_t word = sync_u64_load_relaxed(&t->word); /* TR.H1 */
    uint64_t next = step_to(word, 0, LINN_THREAD_FREE);
    /* TR.F1 acq_rel, pairs with TR.A1: we are done with the payload.  The word
     * before the mutex: killed in between, the next claim finds it FREE. */
    if (sync_u64_cas_acq_rel_relaxed(&t->word, &word, next)) {
        pthread_mutex_unlock(&t->alive);
        lower_search_begin(t->index);
    }
    module_leave();
}

struct linn_thread *linn_thread_own(void) {
    return me.own;
}

uint32_t linn_thread_life(const struct linn_thread *t) {
    return life_of(sync_u64_load_relaxed(&t->word)); /* TR.H1 */
}

enum linn_thread_state linn_thread_state_hint(const struct linn_thread *t) {
    return state_of(sync_u64_load_relaxed(&t->word)); /* TR.H1 */
}

/* ---- death ---- */

/* `t` is dead and ours: what it had seized is free for the next adopter. */
static void release_what_it_seized(struct linn_thread *t) {
    uint32_t named = sync_u32_load_relaxed(&t->adopts); /* TR.H2 */
    if (named == 0) return;
    struct linn_thread *other = linn_thread_at(named - 1);
    uint64_t word = sync_u64_load_relaxed(&other->word); /* TR.H1 */
    if (state_of(word) == LINN_THREAD_SEIZED &&
        adopter_of(word) == t->index + 1) {
        uint64_t next = step_to(word, 0, LINN_THREAD_ORPHANED);
        /* TR.O2 acq_rel, pairs with TR.D1 and TR.S1: the payload is as the dead
         * adopter left it. */
        (void)sync_u64_cas_acq_rel_relaxed(&other->word, &word, next);
    }
    /* TR.N2 relaxed, and last: should we die before it, the adopter after us
     * does the same once more. */
    sync_u32_store_relaxed(&t->adopts, 0);
}

static bool adopt_by_mutex(struct linn_thread *t, uint64_t process) {
    bool owner_died;
    if (!trylock(t, &owner_died)) return false; /* alive */
    run_probe();
    uint64_t word = sync_u64_load_relaxed(&t->word); /* TR.H1 */
    enum linn_thread_state state = state_of(word);
    bool is_dead = state == LINN_THREAD_ORPHANED ||
                   (owner_died && (state == LINN_THREAD_LIVE ||
                                   state == LINN_THREAD_ADOPTED));
    uint64_t next = step_to(word, 0, LINN_THREAD_ADOPTED);
    /* TR.D1 acq_rel, pairs with TR.O1 and TR.O2: the payload is as the adopter
     * before us left it; what its thread did is ordered by the mutex. */
    if (is_dead && is_of_process(word, process) &&
        sync_u64_cas_acq_rel_relaxed(&t->word, &word, next)) {
        return true;
    }
    pthread_mutex_unlock(&t->alive);
    /* A claimer that found it locked by us has advanced the hint over it. */
    if (state == LINN_THREAD_FREE) lower_search_begin(t->index);
    return false;
}

static bool adopt_by_word(struct linn_thread *t, uint64_t word,
                          uint64_t process) {
    /* TR.V1 acquire, pairs with TR.V2: the survivor's payload is moved. */
    if (sync_u64_load_acquire(&adoption_open) != process) return false;
    struct linn_thread *own = me.own;
    if (own == NULL || linn_thread_is_stale(own)) return false;
    if (state_of(word) == LINN_THREAD_SEIZED) return false;
    /* TR.N1 relaxed: published by TR.S1. */
    sync_u32_store_relaxed(&own->adopts, t->index + 1);
    uint64_t next = step_to(word, own->index + 1, LINN_THREAD_SEIZED);
    /* TR.S1 acq_rel, pairs with TR.O1 and TR.O2. */
    if (sync_u64_cas_acq_rel_relaxed(&t->word, &word, next)) return true;
    sync_u32_store_relaxed(&own->adopts, 0); /* TR.N2 */
    return false;
}

bool linn_thread_adopt_begin(struct linn_thread *t) {
    if (t == me.own || me.adopting) return false;
    /* TR.L1 acquire, pairs with TR.E1: since a fork the mutex may be a new one. */
    uint64_t word = sync_u64_load_acquire(&t->word);
    if (state_of(word) == LINN_THREAD_FREE) return false;
    if (!module_enter()) return false;
    uint64_t process = linn_process_generation();
    /* A handler that forked since the look is refused above, in the child too,
     * so the mutex of a stale record is never touched. */
    bool ours = is_of_process(word, process) ? adopt_by_mutex(t, process)
                                             : adopt_by_word(t, word, process);
    if (ours) {
        me.adopting = true;
        release_what_it_seized(t);
    }
    module_leave();
    return ours;
}

void linn_thread_adopt_end(struct linn_thread *t) {
    me.adopting = false;
    if (!module_enter()) return; /* ours until we die, and then adopted again */
    /* RC.C1 release, pairs with RC.P2: the dead thread reads no more. */
    sync_u64_store_release(&t->section, 0);
    uint64_t word = sync_u64_load_relaxed(&t->word); /* TR.H1 */
    bool by_mutex = state_of(word) == LINN_THREAD_ADOPTED;
    /* In this process the old mutex is locked for ever; nobody looks at it. */
    if (!by_mutex) init_mutex(t);
    uint64_t next =
        word_of(life_of(word), linn_process_generation(), 0, LINN_THREAD_FREE);
    /* TR.E1 acq_rel, pairs with TR.A1 and TR.L1: the payload is empty, and the
     * mutex is usable. */
    if (sync_u64_cas_acq_rel_relaxed(&t->word, &word, next)) {
        if (by_mutex) {
            pthread_mutex_unlock(&t->alive);
        } else {
            sync_u32_store_relaxed(&me.own->adopts, 0); /* TR.N2 */
        }
        lower_search_begin(t->index);
    }
    module_leave();
}

void linn_thread_adopt_abandon(struct linn_thread *t) {
    me.adopting = false;
    if (!module_enter()) return;                     /* as above */
    uint64_t word = sync_u64_load_relaxed(&t->word); /* TR.H1 */
    bool by_mutex = state_of(word) == LINN_THREAD_ADOPTED;
    uint64_t next = step_to(word, 0, LINN_THREAD_ORPHANED);
    /* TR.O1 acq_rel, pairs with TR.D1 and TR.S1: what we did is done. */
    if (sync_u64_cas_acq_rel_relaxed(&t->word, &word, next)) {
        if (by_mutex) {
            pthread_mutex_unlock(&t->alive);
        } else {
            sync_u32_store_relaxed(&me.own->adopts, 0); /* TR.N2 */
        }
    }
    module_leave();
}

/* ---- fork ---- */

struct linn_thread *linn_thread_reregister(struct linn_thread *old) {
    if (!linn_thread_is_stale(old)) return old;
    if (me.adopting) return NULL;
    if (sync_u64_load_relaxed(&old->section) != 0) return NULL; /* RC.O1 */
    struct linn_thread *t = linn_thread_register();
    return t;
}

void linn_thread_open_adoption(void) {
    open_adoption_in(linn_process_generation());
}

/* ---- for tests ---- */

void linn_thread_registry_set_max(uint32_t max) {
    sync_u32_store_relaxed(&max_records, max); /* TR.T2 */
}

void linn_thread_set_life(struct linn_thread *t, uint32_t life) {
    uint64_t word = sync_u64_load_relaxed(&t->word); /* TR.H1 */
    uint64_t next =
        word_of(life, linn_process_generation(), 0, LINN_THREAD_FREE);
    /* TR.T3 relaxed: the test is alone. */
    if (state_of(word) != LINN_THREAD_FREE ||
        !sync_u64_cas_relaxed_relaxed(&t->word, &word, next)) {
        die("linn_thread_set_life: the record is not free\n");
    }
}

void linn_thread_registry_set_probe(void (*probe)(void)) {
    sync_ptr_store_relaxed(&probe_function, (void *)probe); /* TR.T2 */
}
