#include "sync/lock.h"

#include <ck_rwlock.h>
#include <ck_spinlock.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sync/atomic.h"
#include "sync/backoff.h"

#if LINN_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
#endif

/* What the lock means, said to those that cannot see it: the caller's accesses
 * before a release happen before those after the next acquire. */
static void tell_acquire(struct linn_lock *lock) {
#if LINN_TSAN
    __tsan_acquire(lock);
#else
    (void)lock;
#endif
}

static void tell_release(struct linn_lock *lock) {
#if LINN_TSAN
    __tsan_release(lock);
#else
    (void)lock;
#endif
}

/* CK mixes plain C and inline assembly on the same words. */
static void look_away(void) {
#if LINN_TSAN
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
}

static void look_again(void) {
#if LINN_TSAN
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
}

_Static_assert(sizeof(ck_spinlock_fas_t) <= sizeof(uint32_t[2]), "fits");
_Static_assert(sizeof(ck_spinlock_ticket_t) <= sizeof(uint32_t[2]), "fits");
_Static_assert(sizeof(ck_rwlock_t) <= sizeof(uint32_t[2]), "fits");

static ck_spinlock_fas_t *fas_of(struct linn_lock *lock) {
    return (ck_spinlock_fas_t *)(void *)lock->of.spin;
}

static ck_spinlock_ticket_t *ticket_of(struct linn_lock *lock) {
    return (ck_spinlock_ticket_t *)(void *)lock->of.spin;
}

static ck_rwlock_t *rwlock_of(struct linn_lock *lock) {
    return (ck_rwlock_t *)(void *)lock->of.spin;
}

/* ---- nodes of mcs and clh ---- */

union node {
    ck_spinlock_mcs_context_t mcs;
    ck_spinlock_clh_t clh;
    union node *next; /* in the pool */
    char line[LINN_CACHE_LINE];
};

static ck_spinlock_mcs_t *mcs_tail(struct linn_lock *lock) {
    return (ck_spinlock_mcs_t *)(void *)&lock->of.tail;
}

static ck_spinlock_clh_t **clh_tail(struct linn_lock *lock) {
    return (ck_spinlock_clh_t **)(void *)&lock->of.tail;
}

static __thread union node *own_node __attribute__((tls_model("initial-exec")));
static pthread_key_t exit_key;
static pthread_once_t exit_key_once = PTHREAD_ONCE_INIT;

/* Rarely used (a thread's first acquisition, its end, nested locks), and in a
 * library that blocks anyway: a mutex is good enough. */
static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static union node *pool; /* guarded by pool_mutex */

enum { NODES_PER_MAPPING = 64 };

static void pool_give(union node *node) {
    pthread_mutex_lock(&pool_mutex);
    node->next = pool;
    pool = node;
    pthread_mutex_unlock(&pool_mutex);
}

static union node *pool_take(void) {
    pthread_mutex_lock(&pool_mutex);
    if (pool == NULL) {
        union node *fresh = (union node *)mmap(
            NULL, NODES_PER_MAPPING * sizeof(union node),
            PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED) abort(); /* a lock cannot fail */
        for (int i = 0; i < NODES_PER_MAPPING; i++) {
            fresh[i].next = pool;
            pool = &fresh[i];
        }
    }
    union node *node = pool;
    pool = node->next;
    pthread_mutex_unlock(&pool_mutex);
    return node;
}

static void thread_ends(void *unused) {
    (void)unused;
    if (own_node != NULL) pool_give(own_node);
    own_node = NULL;
}

static void make_exit_key(void) {
    if (pthread_key_create(&exit_key, thread_ends) != 0) abort();
}

static union node *take_node(void) {
    union node *node = own_node;
    if (node == NULL) return pool_take();
    own_node = NULL;
    return node;
}

static void give_node(union node *node) {
    if (own_node != NULL) {
        pool_give(node);
        return;
    }
    own_node = node;
    /* Any value but NULL: its destructor is what we want. */
    pthread_once(&exit_key_once, make_exit_key);
    if (pthread_getspecific(exit_key) == NULL) {
        pthread_setspecific(exit_key, &exit_key);
    }
}

/* ---- the interface ---- */

/* ATOMIC chosen, written before the first lock is initialised
 *   LK.N1 choose store  relaxed  the kind is its whole meaning
 *   LK.H1 init   load   relaxed  the lock keeps what it was */
static sync_u32 chosen;

static const char *const names[LINN_LOCK_KINDS] = {"mutex", "fas", "ticket",
                                                   "mcs",   "clh", "rwlock"};

void linn_lock_choose(enum linn_lock_kind kind) {
    if (kind >= LINN_LOCK_KINDS) abort();
    sync_u32_store_relaxed(&chosen, (uint32_t)kind); /* LK.N1 */
}

enum linn_lock_kind linn_lock_kind_by_name(const char *name) {
    int kind = 0;
    while (kind < LINN_LOCK_KINDS && strcmp(name, names[kind]) != 0) {
        kind++;
    }
    return (enum linn_lock_kind)kind;
}

const char *linn_lock_kind_name(enum linn_lock_kind kind) {
    return kind < LINN_LOCK_KINDS ? names[kind] : "";
}

void linn_lock_init(struct linn_lock *lock) {
    lock->kind = sync_u32_load_relaxed(&chosen); /* LK.H1 */
    lock->node = NULL;
    switch ((enum linn_lock_kind)lock->kind) {
        case LINN_LOCK_MUTEX:
            pthread_mutex_init(&lock->of.mutex, NULL);
            break;
        case LINN_LOCK_FAS:
            ck_spinlock_fas_init(fas_of(lock));
            break;
        case LINN_LOCK_TICKET:
            ck_spinlock_ticket_init(ticket_of(lock));
            break;
        case LINN_LOCK_MCS:
            ck_spinlock_mcs_init(mcs_tail(lock));
            break;
        case LINN_LOCK_CLH:
            look_away();
            ck_spinlock_clh_init(clh_tail(lock), &pool_take()->clh);
            look_again();
            break;
        case LINN_LOCK_RWLOCK:
            ck_rwlock_init(rwlock_of(lock));
            break;
        case LINN_LOCK_KINDS:
            abort();
    }
}

/* CK's lock waits by reading the word, so all who wait try at once when it is
 * given back.  These draw apart instead. */
static void acquire_fas(ck_spinlock_fas_t *fas) {
    struct linn_backoff backoff = LINN_BACKOFF_START;
    while (!ck_spinlock_fas_trylock(fas)) {
        linn_backoff_pause(&backoff);
    }
}

static void acquire_spinning(struct linn_lock *lock) {
    union node *node = NULL;
    look_away();
    switch ((enum linn_lock_kind)lock->kind) {
        case LINN_LOCK_FAS:
            acquire_fas(fas_of(lock));
            break;
        case LINN_LOCK_TICKET:
            ck_spinlock_ticket_lock(ticket_of(lock));
            break;
        case LINN_LOCK_MCS:
            node = take_node();
            ck_spinlock_mcs_lock(mcs_tail(lock), &node->mcs);
            break;
        case LINN_LOCK_CLH:
            node = take_node();
            ck_spinlock_clh_lock(clh_tail(lock), &node->clh);
            break;
        case LINN_LOCK_RWLOCK:
            ck_rwlock_write_lock(rwlock_of(lock));
            break;
        default:
            abort(); /* not initialised, or written over */
    }
    lock->node = node;
    look_again();
    tell_acquire(lock);
}

static void release_spinning(struct linn_lock *lock) {
    tell_release(lock);
    look_away();
    union node *node = (union node *)lock->node;
    ck_spinlock_clh_t *previous;
    switch ((enum linn_lock_kind)lock->kind) {
        case LINN_LOCK_FAS:
            ck_spinlock_fas_unlock(fas_of(lock));
            break;
        case LINN_LOCK_TICKET:
            ck_spinlock_ticket_unlock(ticket_of(lock));
            break;
        case LINN_LOCK_MCS:
            ck_spinlock_mcs_unlock(mcs_tail(lock), &node->mcs);
            give_node(node);
            break;
        case LINN_LOCK_CLH:
            previous = &node->clh;
            ck_spinlock_clh_unlock(&previous);
            give_node((union node *)(void *)previous);
            break;
        case LINN_LOCK_RWLOCK:
            ck_rwlock_write_unlock(rwlock_of(lock));
            break;
        default:
            abort();
    }
    look_again();
}

void linn_lock_acquire(struct linn_lock *lock) {
    if (__builtin_expect(lock->kind == LINN_LOCK_MUTEX, 1)) {
        pthread_mutex_lock(&lock->of.mutex);
    } else {
        acquire_spinning(lock);
    }
}

void linn_lock_release(struct linn_lock *lock) {
    if (__builtin_expect(lock->kind == LINN_LOCK_MUTEX, 1)) {
        pthread_mutex_unlock(&lock->of.mutex);
    } else {
        release_spinning(lock);
    }
}
